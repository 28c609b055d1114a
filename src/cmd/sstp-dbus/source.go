package main

import (
	"context"
	"strings"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/control"
	"sstp/src/ubus"
)

// source is where tunnels are found.
type source interface {
	// watch reports the tunnels that exist, and those that come, change and go, until ctx ends.
	watch(ctx context.Context, news func(change))
	call(ctx context.Context, tunnel, method string) (blobmsg.Fields, error)
}

// change says that something is to be learned of a tunnel, or that there is none any more.
type change struct {
	tunnel string
	from   source
	gone   bool
	tries  int // how often the tunnel has not answered
}

// callTimeout limits how long a tunnel may take to answer.
const callTimeout = 5 * time.Second

// ubusSource finds the tunnels that have an object on ubus.
type ubusSource struct {
	client *ubus.Client
	news   func(change)
	known  chan map[string]bool // holds one: the tunnels that were told of
}

func newUbusSource(o ubus.Options) *ubusSource {
	s := &ubusSource{known: make(chan map[string]bool, 1)}
	s.known <- map[string]bool{}
	o.Connected = s.connected
	o.Lost = func(error) { s.keepOnly(nil) }
	s.client = ubus.New(o)
	return s
}

func (s *ubusSource) watch(ctx context.Context, news func(change)) {
	s.news = news
	s.client.Listen(control.Event, func(_ string, data blobmsg.Fields) {
		if name := data.Text("interface"); name != "" {
			s.tell(name)
		}
	})
	s.client.Listen("ubus.object.add", func(_ string, data blobmsg.Fields) {
		if name, ours := strings.CutPrefix(data.Text("path"), control.PathPrefix); ours {
			s.tell(name)
		}
	})
	s.client.Listen("ubus.object.remove", func(_ string, data blobmsg.Fields) {
		if name, ours := strings.CutPrefix(data.Text("path"), control.PathPrefix); ours {
			s.drop(name)
		}
	})
	s.client.Run(ctx)
}

func (s *ubusSource) call(ctx context.Context, tunnel, method string) (blobmsg.Fields, error) {
	return s.client.Call(ctx, control.PathPrefix+tunnel, method, nil)
}

// connected asks which tunnels there are: events may have been missed.
func (s *ubusSource) connected() {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	objects, err := s.client.List(ctx, control.PathPrefix+"*")
	if err != nil {
		return
	}
	there := map[string]bool{}
	for _, o := range objects {
		there[strings.TrimPrefix(o.Path, control.PathPrefix)] = true
	}
	s.keepOnly(there)
	for name := range there {
		s.tell(name)
	}
}

func (s *ubusSource) tell(name string) {
	known := <-s.known
	known[name] = true
	s.known <- known
	s.news(change{tunnel: name, from: s})
}

func (s *ubusSource) drop(name string) {
	known := <-s.known
	told := known[name]
	delete(known, name)
	s.known <- known
	if told {
		s.news(change{tunnel: name, from: s, gone: true})
	}
}

func (s *ubusSource) keepOnly(there map[string]bool) {
	known := <-s.known
	var gone []string
	for name := range known {
		if !there[name] {
			gone = append(gone, name)
		}
	}
	s.known <- known
	for _, name := range gone {
		s.drop(name)
	}
}

// localSource finds the tunnels that `sstp up` has started, by their sockets.
type localSource struct {
	folder string
}

func newLocalSource(folder string) *localSource { return &localSource{folder} }

// lookEvery is the time between two looks into the folder of the sockets. What happens to a tunnel that has been found is
// told by its socket at once.
const lookEvery = 2 * time.Second

func (s *localSource) watch(ctx context.Context, news func(change)) {
	heard := map[string]bool{}
	ended := make(chan string)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		for _, name := range control.LocalTunnels(s.folder) {
			if heard[name] {
				continue
			}
			heard[name] = true
			go func() {
				s.hear(ctx, name, news)
				select {
				case ended <- name:
				case <-ctx.Done():
				}
			}()
		}
		select {
		case <-ctx.Done():
			return
		case name := <-ended:
			delete(heard, name)
			select { // a socket that nobody serves is not tried again at once
			case <-ctx.Done():
				return
			case <-look.C:
			}
		case <-look.C:
		}
	}
}

// hear listens to one tunnel until it ends.
func (s *localSource) hear(ctx context.Context, name string, news func(change)) {
	there := false
	control.HearLocal(ctx, control.LocalSocket(s.folder, name), func() {
		there = true
		news(change{tunnel: name, from: s})
	}, func(string, blobmsg.Fields) { news(change{tunnel: name, from: s}) })
	if there {
		news(change{tunnel: name, from: s, gone: true})
	}
}

func (s *localSource) call(ctx context.Context, tunnel, method string) (blobmsg.Fields, error) {
	return control.CallLocal(ctx, control.LocalSocket(s.folder, tunnel), method, nil)
}
