package session

import (
	"context"
	"crypto/x509"
	"io"
	mathrand "math/rand/v2"
	"strconv"
	"time"

	"sstp/src/config"
	"sstp/src/datapath"
	"sstp/src/fault"
	"sstp/src/joiner"
	"sstp/src/phrase"
	"sstp/src/transport"
)

// probeLimit bounds the part of a probe that comes after the connection: SSTP and the login.
const probeLimit = 90 * time.Second

// ProbeConfig is what a Probe is made of.
type ProbeConfig struct {
	Tunnel   *config.Tunnel
	Server   config.Server
	Dial     Dialer
	InnerTLS InnerTLS
	Random   io.Reader
	// MayLogIn is called once the server is reached. When it returns false, the probe ends before the login. Nil means yes.
	MayLogIn func(transport.Info) bool
	// Step is called with each stage as it finishes. It may be nil.
	Step func(Step)
}

// Step is what a probe found at one stage.
type Step struct {
	Stage   fault.Stage
	Took    time.Duration
	Finding phrase.Phrase // what was found, in a few words
	Err     *fault.Error  // nil: the stage is passed
}

// Report is what a probe found out.
type Report struct {
	Server     config.Server
	Steps      []Step
	Chain      []*x509.Certificate // what the server presented, leaf first; nil without TLS
	VerifiedBy string              // as in transport.Info; "" where the certificate was refused
	Info       transport.Info      // of the connection; zero where there was none
}

// Failed returns the failure that ended the probe, nil where all stages were passed.
func (r *Report) Failed() *fault.Error {
	for _, s := range r.Steps {
		if s.Err != nil {
			return s.Err
		}
	}
	return nil
}

// Probe goes through a call stage by stage, up to the login where the tunnel has a user name, and hangs up. It never
// touches the machine's network: no device, no address, no route.
func Probe(ctx context.Context, cfg ProbeConfig) *Report {
	p := &prober{cfg: cfg, report: &Report{Server: cfg.Server}}
	conn, err := cfg.Dial(ctx, cfg.Server, p)
	if err != nil {
		p.failed(fault.Of(err, fault.ConnectFailed, fault.StageConnect))
		return p.report
	}
	p.report.Info = conn.Info()
	p.call(ctx, conn)
	return p.report
}

// prober collects the steps. It is the transport.Observer of the stages before SSTP.
type prober struct {
	cfg    ProbeConfig
	report *Report
	since  time.Time // when the running stage began
}

func (p *prober) Stage(fault.Stage) {}

func (p *prober) Done(stage fault.Stage, took time.Duration, finding phrase.Phrase, err error) {
	p.step(Step{Stage: stage, Took: took, Finding: finding, Err: fault.Of(err, fault.ConnectFailed, stage)})
}

func (p *prober) Certificates(chain []*x509.Certificate, verifiedBy string) {
	p.report.Chain, p.report.VerifiedBy = chain, verifiedBy
}

func (p *prober) step(s Step) {
	p.report.Steps = append(p.report.Steps, s)
	if p.cfg.Step != nil {
		p.cfg.Step(s)
	}
}

// failed notes a failure that no stage has reported yet.
func (p *prober) failed(err *fault.Error) {
	if p.report.Failed() == nil {
		p.step(Step{Stage: err.Stage, Took: time.Since(p.since), Err: err})
	}
}

func (p *prober) passed(stage fault.Stage, finding phrase.Phrase) {
	now := time.Now()
	p.step(Step{Stage: stage, Took: now.Sub(p.since), Finding: finding})
	p.since = now
}

// call runs SSTP and the login on the connection.
func (p *prober) call(ctx context.Context, conn Conn) {
	t, info := p.cfg.Tunnel, conn.Info()
	p.since = time.Now()
	logIn := t.Username != "" && (p.cfg.MayLogIn == nil || p.cfg.MayLogIn(info))
	methods, refused := loginMethods(t, info)
	if refused != nil && logIn {
		conn.Close()
		p.failed(refused)
		return
	}
	inner, err := p.cfg.InnerTLS.forMethods(methods, p.cfg.Server)
	if err != nil {
		conn.Close()
		p.failed(fault.Of(err, fault.InvalidOptions, fault.StageConfig))
		return
	}
	quit := make(chan struct{})
	events := make(chan datapath.Event)
	pumps := datapath.New(conn, mathrand.Uint32(), func(e datapath.Event) {
		select {
		case events <- e:
		case <-quit:
		}
	})
	cfg := joinerConfig(t, info, methods, inner, p.cfg.Random)
	cfg.Until = joiner.UntilBound
	if !logIn {
		cfg.Until = joiner.UntilOpened
	}
	j := joiner.New(cfg)
	pumps.Start()
	p.run(ctx, j, pumps, events)
	conn.Close()
	close(quit)
	pumps.Stop()
	j.Close()
}

// run runs the call until it ends.
func (p *prober) run(ctx context.Context, j *joiner.Joiner, pumps *datapath.Pumps, events <-chan datapath.Event) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	do := j.Start(time.Now())
	for !p.perform(j, pumps, do) {
		if d := j.Deadline(); !d.IsZero() {
			timer.Reset(max(0, time.Until(d)))
		}
		select {
		case <-stop:
			stop = nil
			do = j.Hangup(time.Now(), "", fault.New(fault.PeerSilent, fault.StageAuth, "The probe was ended before the server was through."))
		case ev := <-events:
			if ev.Kind == datapath.Ended {
				do = j.Lost(time.Now(), ev.Err)
				continue
			}
			j.Heard(time.Now())
			do = j.Receive(time.Now(), ev.Packet)
		case <-timer.C:
			do = j.Advance(time.Now())
		}
	}
}

// perform carries out what the protocols want, turns what they tell into steps, and reports whether the call is over.
func (p *prober) perform(j *joiner.Joiner, pumps *datapath.Pumps, do []joiner.Action) bool {
	for len(do) > 0 {
		a := do[0]
		do = do[1:]
		switch a.Kind {
		case joiner.Send:
			if !pumps.Send(a.Data) {
				do = j.Overflow()
			}
		case joiner.Opened:
			p.passed(fault.StageSSTP, phrase.Of("call accepted, crypto binding with %s", j.Hash().String()))
		case joiner.LinkOpen:
			p.passed(fault.StagePPP, phrase.Of("link open, the server takes packets of up to %s bytes", strconv.Itoa(j.PeerMRU())))
		case joiner.LoggedIn:
			p.passed(fault.StageAuth, loginFinding(string(a.Method)))
		case joiner.Ended:
			if a.Err != nil {
				if t := p.cfg.Tunnel; a.Err.Code == fault.AuthMethodRefused && withholds(t, p.report.Info) {
					explainWithheld(t, p.report.Info, a.Err)
				}
				p.failed(a.Err)
			}
			return true
		}
	}
	return false
}

func loginFinding(method string) phrase.Phrase {
	if method == "" {
		return phrase.Of("logged in by no method: the server asked for none")
	}
	return phrase.Of("logged in by %s", method)
}
