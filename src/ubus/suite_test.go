package ubus_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
)

// method returns a method without declared arguments.
func method(name string, handler func(context.Context, *ubus.Request) (blobmsg.Fields, error)) ubus.Method {
	return ubus.Method{Name: name, Handler: handler}
}

// echo answers with its arguments.
func echo(_ context.Context, r *ubus.Request) (blobmsg.Fields, error) { return r.Args, nil }

// nothing answers without data.
func nothing(context.Context, *ubus.Request) (blobmsg.Fields, error) { return nil, nil }

func TestCallsAreAnswered(t *testing.T) {
	onEachBus(t, func(t *testing.T, b *bus) {
		b.provider(t, &ubus.Object{Path: "sstp.test", Methods: []ubus.Method{
			method("echo", echo),
			method("nothing", nothing),
			method("empty", func(context.Context, *ubus.Request) (blobmsg.Fields, error) { return blobmsg.Fields{}, nil }),
			method("who", func(_ context.Context, r *ubus.Request) (blobmsg.Fields, error) {
				return blobmsg.Fields{blobmsg.F("user", blobmsg.String(r.User)), blobmsg.F("group", blobmsg.String(r.Group))}, nil
			}),
			method("refuse", func(_ context.Context, r *ubus.Request) (blobmsg.Fields, error) {
				n, _ := r.Args.Number("status")
				return blobmsg.Fields{blobmsg.F("unseen", blobmsg.Bool(true))}, ubus.Status(n)
			}),
			method("wrapped", func(context.Context, *ubus.Request) (blobmsg.Fields, error) {
				return nil, &ubus.CallError{Object: "network", Method: "x", Err: ubus.StatusNoData}
			}),
			method("late", func(context.Context, *ubus.Request) (blobmsg.Fields, error) {
				return nil, fmt.Errorf("the server: %w", context.DeadlineExceeded)
			}),
			method("broken", func(context.Context, *ubus.Request) (blobmsg.Fields, error) { return nil, errors.New("broken") }),
			{Name: "typed", Args: []ubus.Arg{{Name: "n", Type: blobmsg.TypeInt32}, {Name: "on", Type: blobmsg.TypeBool}, {Name: "any"}}, Handler: echo},
		}})
		c := b.client(t)
		all := everyType(t)
		if reply, err := c.Call(t.Context(), "sstp.test", "echo", all); err != nil || !reflect.DeepEqual(reply, all) {
			t.Errorf("echo: %s, %v", asJSON(reply), err)
		}
		long := blobmsg.Fields{blobmsg.F("long", blobmsg.String(strings.Repeat("x", 900<<10)))}
		if reply, err := c.Call(t.Context(), "sstp.test", "echo", long); err != nil || !reflect.DeepEqual(reply, long) {
			t.Errorf("echo of 900 KiB: %d fields, %v", len(reply), err)
		}
		for _, method := range []string{"nothing", "empty"} {
			if reply, err := c.Call(t.Context(), "sstp.test", method, nil); reply != nil || err != nil {
				t.Errorf("%s: %s, %v", method, asJSON(reply), err)
			}
		}
		if reply, err := c.Call(t.Context(), "sstp.test", "who", nil); reply.Text("user") == "" || reply.Text("group") == "" || err != nil {
			t.Errorf("who: %s, %v", asJSON(reply), err)
		}
		typed := blobmsg.Fields{blobmsg.F("n", blobmsg.Int64(5)), blobmsg.F("on", blobmsg.Int(1)), blobmsg.F("any", blobmsg.Tab()), blobmsg.F("on", blobmsg.Value{}), blobmsg.F("unknown", blobmsg.String("ignored"))}
		if reply, err := c.Call(t.Context(), "sstp.test", "typed", typed); err != nil || !reflect.DeepEqual(reply, typed) {
			t.Errorf("typed: %s, %v", asJSON(reply), err)
		}
		for _, tt := range []struct {
			object, method string
			args           blobmsg.Fields
			want           ubus.Status
		}{
			{"sstp.test", "refuse", blobmsg.Fields{blobmsg.F("status", blobmsg.Int(6))}, ubus.StatusPermissionDenied},
			{"sstp.test", "refuse", blobmsg.Fields{blobmsg.F("status", blobmsg.Int(13))}, ubus.StatusSystemError},
			{"sstp.test", "refuse", blobmsg.Fields{blobmsg.F("status", blobmsg.Int(0))}, ubus.StatusUnknownError},
			{"sstp.test", "wrapped", nil, ubus.StatusNoData},
			{"sstp.test", "late", nil, ubus.StatusTimeout},
			{"sstp.test", "broken", nil, ubus.StatusUnknownError},
			{"sstp.test", "missing", nil, ubus.StatusMethodNotFound},
			{"sstp.none", "echo", nil, ubus.StatusNotFound},
			{"sstp.tes*", "echo", nil, ubus.StatusNotFound},
			{"", "echo", nil, ubus.StatusInvalidArgument},
			{"sstp.test", "typed", blobmsg.Fields{blobmsg.F("n", blobmsg.String("5"))}, ubus.StatusInvalidArgument},
			{"sstp.test", "typed", blobmsg.Fields{blobmsg.F("on", blobmsg.String("yes"))}, ubus.StatusInvalidArgument},
		} {
			if reply, err := c.Call(t.Context(), tt.object, tt.method, tt.args); !errors.Is(err, tt.want) || reply != nil {
				t.Errorf("%s %s %s: %s, %v; want %v", tt.object, tt.method, asJSON(tt.args), asJSON(reply), err, tt.want)
			}
		}
	})
}

func TestCallsOfManyAreKeptApart(t *testing.T) {
	onEachBus(t, func(t *testing.T, b *bus) {
		b.provider(t, &ubus.Object{Path: "echo", Methods: []ubus.Method{method("echo", echo)}})
		clients := []*ubus.Client{b.client(t), b.client(t), b.client(t)}
		var wg sync.WaitGroup
		for n := range 15 { // all at once, but no more than are served at a time
			wg.Go(func() {
				for i := range 50 {
					args := blobmsg.Fields{blobmsg.F("n", blobmsg.Int(int64(1000*n+i)))}
					reply, err := clients[n%3].Call(t.Context(), "echo", "echo", args)
					if err != nil || !reflect.DeepEqual(reply, args) {
						t.Errorf("asked %s, was told %s, %v", asJSON(args), asJSON(reply), err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestAReplyMayComeLater(t *testing.T) {
	onEachBus(t, func(t *testing.T, b *bus) {
		gate, entered := make(chan struct{}), make(chan struct{})
		b.provider(t, &ubus.Object{Path: "o", Methods: []ubus.Method{
			method("late", func(context.Context, *ubus.Request) (blobmsg.Fields, error) {
				close(entered)
				<-gate
				return blobmsg.Fields{blobmsg.F("late", blobmsg.Bool(true))}, nil
			}),
			method("echo", echo),
		}})
		c := b.client(t)
		late := calling(t.Context(), c, "o", "late")
		<-entered
		if _, err := c.Call(t.Context(), "o", "echo", nil); err != nil {
			t.Errorf("a call in between: %v", err)
		}
		close(gate)
		if r := <-late; asJSON(r.reply) != `{"late":true}` || r.err != nil {
			t.Errorf("%s, %v", asJSON(r.reply), r.err)
		}
	})
}

func TestObjectsAreListedWithTheirMethods(t *testing.T) {
	onEachBus(t, func(t *testing.T, b *bus) {
		args := []ubus.Arg{{Name: "n", Type: blobmsg.TypeInt32}, {Name: "any", Type: blobmsg.TypeUnspec}}
		b.client(t, func(c *ubus.Client) {
			c.Publish(&ubus.Object{Path: "list.b", Methods: []ubus.Method{{Name: "x", Args: args, Handler: echo}, method("y", echo)}})
			c.Publish(&ubus.Object{Path: "list.a"})
			c.Publish(&ubus.Object{Path: "other"})
		})
		c := b.client(t)
		for pattern, want := range map[string]string{
			"list.b": "list.b", "list.*": "list.a list.b", "list": "", "list.b*": "list.b", "other*": "other", "none*": "", "*": "list.a list.b other", "": "list.a list.b other",
		} {
			infos, err := c.List(t.Context(), pattern)
			var paths []string
			for _, info := range infos {
				paths = append(paths, info.Path)
			}
			if strings.Join(paths, " ") != want || err != nil {
				t.Errorf("%q: %v, %v; want %s", pattern, paths, err, want)
			}
		}
		infos, _ := c.List(t.Context(), "list.b")
		if want := []ubus.Method{{Name: "x", Args: args}, {Name: "y"}}; !reflect.DeepEqual(infos[0].Methods, want) || infos[0].ID < 1024 {
			t.Errorf("%+v", infos[0])
		}
	})
}

func TestAProviderThatComesBackIsFoundAgain(t *testing.T) {
	onEachBus(t, func(t *testing.T, b *bus) {
		c := b.client(t)
		var last uint32
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			connected := make(chan bool, 1)
			p := ubus.New(ubus.Options{Dial: b.dial, Connected: func() { connected <- true }})
			p.Publish(&ubus.Object{Path: "o", Methods: []ubus.Method{method("echo", echo)}})
			ended := make(chan error)
			go func() { ended <- p.Run(ctx) }()
			<-connected
			// ubusd may not yet know that the last provider has gone; its successor is registered when it does.
			if _, err := c.Call(t.Context(), "o", "echo", nil); err != nil {
				t.Error(err)
			}
			infos, err := c.List(t.Context(), "o")
			if err != nil || len(infos) != 1 || infos[0].ID == last {
				t.Errorf("%+v, %v", infos, err)
			} else {
				last = infos[0].ID
			}
			gone := make(chan bool, 9)
			w := b.client(t, func(w *ubus.Client) { w.Listen("ubus.object.remove", func(string, blobmsg.Fields) { gone <- true }) })
			cancel()
			<-ended
			<-gone
			w.Unlisten("ubus.object.remove")
		}
		if _, err := c.Call(t.Context(), "o", "echo", nil); !errors.Is(err, ubus.StatusNotFound) {
			t.Error(err)
		}
	})
}

func TestAProviderThatDiesDoesNotAnswer(t *testing.T) {
	onEachBus(t, func(t *testing.T, b *bus) {
		ctx, die := context.WithCancel(t.Context())
		entered, connected := make(chan bool, 1), make(chan bool, 1)
		p := ubus.New(ubus.Options{Dial: b.dial, Connected: func() { connected <- true }})
		p.Publish(&ubus.Object{Path: "o", Methods: []ubus.Method{method("die", func(ctx context.Context, _ *ubus.Request) (blobmsg.Fields, error) {
			entered <- true
			<-ctx.Done()
			return nil, nil
		})}})
		ended := make(chan error)
		go func() { ended <- p.Run(ctx) }()
		<-connected
		c := b.client(t)
		waiting, giveUp := context.WithCancel(t.Context())
		done := calling(waiting, c, "o", "die")
		<-entered
		die()
		<-ended
		if _, err := c.List(t.Context(), "*"); err != nil { // the connection is well
			t.Error(err)
		}
		giveUp() // or its time would have ended
		wantError(t, "no answer", done, context.Canceled)
	})
}

func TestEventsReachAllWhoListen(t *testing.T) {
	onEachBus(t, func(t *testing.T, b *bus) {
		heard := make(chan string, 99)
		listen := func(who, pattern string) func(*ubus.Client) {
			return func(c *ubus.Client) {
				c.Listen(pattern, func(event string, data blobmsg.Fields) { heard <- who + " " + event + asJSON(data) })
			}
		}
		sender := b.client(t, listen("sender", "*"))
		b.client(t, listen("all", "*"), listen("prefix", "sstp.*"), listen("exact", "sstp"))
		send := func(event string) {
			if err := sender.Send(t.Context(), event, blobmsg.Fields{blobmsg.F("a", blobmsg.Int(1))}); err != nil {
				t.Errorf("%s: %v", event, err)
			}
		}
		want := func(wants ...string) {
			var got []string
			for range wants {
				got = append(got, <-heard)
			}
			slices.Sort(got)
			if !slices.Equal(got, wants) {
				t.Errorf("heard %q, want %q", got, wants)
			}
		}
		send("sstp")
		want(`all sstp{"a":1}`, `exact sstp{"a":1}`)
		send("sstp.vpn")
		want(`all sstp.vpn{"a":1}`, `prefix sstp.vpn{"a":1}`)
		send("sst")
		want(`all sst{"a":1}`)
		if err := sender.Send(t.Context(), "ubus.fake", nil); !errors.Is(err, ubus.StatusPermissionDenied) {
			t.Errorf("an event in ubusd's name: %v", err)
		}
		for n := range 50 {
			send(fmt.Sprint("n", n))
		}
		for n := range 50 {
			if got := <-heard; got != fmt.Sprint("all n", n, `{"a":1}`) {
				t.Fatalf("event %d: %s", n, got)
			}
		}
		if len(heard) > 0 {
			t.Errorf("nobody is told of his own events: %s", <-heard)
		}
	})
}

func TestListeningEnds(t *testing.T) {
	onEachBus(t, func(t *testing.T, b *bus) {
		heard := make(chan string, 99)
		sender := b.client(t)
		c := b.client(t, func(c *ubus.Client) {
			c.Listen("a", func(event string, _ blobmsg.Fields) { heard <- event })
			c.Listen("b", func(event string, _ blobmsg.Fields) { heard <- event })
		})
		c.Unlisten("a")
		for _, event := range []string{"a", "b"} {
			if err := sender.Send(t.Context(), event, nil); err != nil {
				t.Error(err)
			}
		}
		if got := <-heard; got != "b" {
			t.Errorf("heard %s", got)
		}
	})
}

func TestNotificationsReachTheSubscribers(t *testing.T) {
	onEachBus(t, func(t *testing.T, b *bus) {
		active, heard := make(chan bool, 9), make(chan string, 99)
		object := func() *ubus.Object {
			return &ubus.Object{Path: "o", Methods: []ubus.Method{method("echo", echo)}, Subscribers: func(now bool) { active <- now }}
		}
		subscribe := func(who string) func(*ubus.Client) {
			return func(c *ubus.Client) {
				c.Subscribe("o", func(kind string, data blobmsg.Fields) { heard <- who + " " + kind + asJSON(data) })
			}
		}
		want := func(wants ...string) {
			t.Helper()
			var got []string
			for range wants {
				got = append(got, <-heard)
			}
			slices.Sort(got)
			if !slices.Equal(got, wants) {
				t.Errorf("heard %q, want %q", got, wants)
			}
		}
		notify := func(c *ubus.Client, n int64) {
			t.Helper()
			if err := c.Notify("o", "tick", blobmsg.Fields{blobmsg.F("n", blobmsg.Int(n))}); err != nil {
				t.Error(err)
			}
		}
		early := b.client(t, subscribe("early")) // before there is anything to subscribe to
		p := b.provider(t, object())
		if !<-active {
			t.Error("somebody has subscribed")
		}
		late := b.client(t, subscribe("late"))
		notify(p, 1)
		want(`early tick{"n":1}`, `late tick{"n":1}`)

		// The object goes and comes back, and with it the subscriptions.
		p.Withdraw("o")
		p.Publish(object())
		for now := range active {
			if now {
				break
			}
		}
		early.Unsubscribe("o")
		late.Unsubscribe("o")
		for now := range active {
			if !now {
				break
			}
		}
		notify(p, 2)
		if _, err := p.List(t.Context(), "o"); err != nil { // once it is answered, ubusd has passed the notification on
			t.Error(err)
		}
		b.client(t, subscribe("last"))
		if !<-active {
			t.Error("somebody has subscribed again")
		}
		notify(p, 3)
		want(`last tick{"n":3}`)
		if len(heard) > 0 {
			t.Errorf("heard %s", <-heard)
		}
	})
}

func TestAPathIsTakenOnceAndPassedOn(t *testing.T) {
	onEachBus(t, func(t *testing.T, b *bus) {
		said := func(text string) *ubus.Object {
			return &ubus.Object{Path: "o", Methods: []ubus.Method{method("who", func(context.Context, *ubus.Request) (blobmsg.Fields, error) {
				return blobmsg.Fields{blobmsg.F("who", blobmsg.String(text))}, nil
			})}}
		}
		first := b.provider(t, said("first"))
		added := make(chan bool, 9)
		c := b.client(t, func(c *ubus.Client) { c.Listen("ubus.object.add", func(string, blobmsg.Fields) { added <- true }) })
		b.provider(t, said("second"))
		ask := func() string {
			reply, err := c.Call(t.Context(), "o", "who", nil)
			if err != nil {
				t.Error(err)
			}
			return reply.Text("who")
		}
		if got := ask(); got != "first" {
			t.Errorf("asked %s", got)
		}
		first.Withdraw("o")
		<-added
		if got := ask(); got != "second" {
			t.Errorf("asked %s", got)
		}
	})
}

func TestAnObjectIsReplaced(t *testing.T) {
	onEachBus(t, func(t *testing.T, b *bus) {
		old := &ubus.Object{Path: "o", Methods: []ubus.Method{method("old", echo)}}
		p := b.provider(t, old)
		added := make(chan bool, 9)
		c := b.client(t, func(c *ubus.Client) { c.Listen("ubus.object.add", func(string, blobmsg.Fields) { added <- true }) })
		p.Publish(&ubus.Object{Path: "o", Methods: []ubus.Method{method("new", echo)}})
		<-added
		infos, err := c.List(t.Context(), "o")
		if err != nil || len(infos) != 1 || infos[0].Methods[0].Name != "new" {
			t.Errorf("%+v, %v", infos, err)
		}
	})
}

func TestUbusdMayBeRestarted(t *testing.T) {
	onEachBus(t, func(t *testing.T, b *bus) {
		heard := make(chan string, 99)
		subscribed := make(chan bool, 9)
		p, providerBack := b.member(t, func(c *ubus.Client) {
			c.Publish(&ubus.Object{Path: "o", Methods: []ubus.Method{method("echo", echo)}, Subscribers: func(now bool) { subscribed <- now }})
			c.Listen("e", func(event string, _ blobmsg.Fields) { heard <- event })
		})
		c, clientBack := b.member(t, func(c *ubus.Client) {
			c.Subscribe("o", func(kind string, _ blobmsg.Fields) { heard <- kind })
		})
		<-subscribed
		for range 2 {
			b.stop()
			b.start()
			<-providerBack
			<-clientBack
			<-subscribed
			if _, err := c.Call(t.Context(), "o", "echo", nil); err != nil {
				t.Error(err)
			}
			if err := c.Send(t.Context(), "e", nil); err != nil {
				t.Error(err)
			}
			if got := <-heard; got != "e" {
				t.Error(got)
			}
			if err := p.Notify("o", "n", nil); err != nil {
				t.Error(err)
			}
			if got := <-heard; got != "n" {
				t.Error(got)
			}
		}
	})
}
