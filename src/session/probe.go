package session

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"time"

	"sstp/src/config"
	"sstp/src/datapath"
	"sstp/src/fault"
	"sstp/src/transport"
	"sstp/src/transport/trust"
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
	// MayLogIn is asked once the server is reached. When it returns false, the probe ends before the login. Nil: it may.
	MayLogIn func(transport.Info) bool
	// Step is called with each finished stage, as it finishes; nil: nobody listens.
	Step func(Step)
}

// Step is what a probe found at one stage.
type Step struct {
	Stage   fault.Stage
	Took    time.Duration
	Finding string       // what was found, in a few words
	Err     *fault.Error // nil: the stage is passed
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

// prober collects the steps; as transport.Observer it hears of those before SSTP.
type prober struct {
	cfg    ProbeConfig
	report *Report
	since  time.Time // when the running stage began
}

func (p *prober) Stage(fault.Stage) {}

func (p *prober) Done(stage fault.Stage, took time.Duration, finding string, err error) {
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

func (p *prober) passed(stage fault.Stage, finding string) {
	now := time.Now()
	p.step(Step{Stage: stage, Took: now.Sub(p.since), Finding: finding})
	p.since = now
}

// call runs SSTP and the login on the connection.
func (p *prober) call(ctx context.Context, conn Conn) {
	t, info := p.cfg.Tunnel, conn.Info()
	verified := info.VerifiedBy != trust.Unverified
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
	pumps := datapath.New(conn, func(e datapath.Event) {
		select {
		case events <- e:
		case <-quit:
		}
	})
	e := newEngine(callConfig{
		leaf: info.Leaf.Raw, verified: verified, username: t.Username, password: t.Password, methods: methods,
		innerTLS: inner, mru: t.MTUOver(info.Server.Addr()), keepalive: t.Keepalive.Interval,
		failures: t.Keepalive.Failures, logInOnly: true, noLogIn: !logIn,
		random: p.cfg.Random, sendPacket: pumps.Send,
	})
	pumps.Start()
	p.run(ctx, e, events)
	conn.Close()
	close(quit)
	pumps.Stop()
	e.close()
}

// run drives the engine until the call is over.
func (p *prober) run(ctx context.Context, e *engine, events <-chan datapath.Event) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	e.start(time.Now())
	for !p.progress(e) {
		if d := e.deadline(); !d.IsZero() {
			timer.Reset(max(0, time.Until(d)))
		}
		select {
		case <-stop:
			stop = nil
			e.goodbye(time.Now(), fault.New(fault.PeerSilent, fault.StageAuth, "The probe was ended before the server was through."))
		case ev := <-events:
			if ev.Kind == datapath.Ended {
				e.lost(time.Now(), ev.Err)
				continue
			}
			e.heard(time.Now())
			e.packet(time.Now(), ev.Packet)
		case <-timer.C:
			e.advance(time.Now())
		}
	}
}

// progress turns the engine's outcomes into steps and reports whether the call is over.
func (p *prober) progress(e *engine) bool {
	for _, o := range e.take() {
		switch o.kind {
		case acked:
			p.passed(fault.StageSSTP, fmt.Sprintf("call accepted, crypto binding with %v", e.sstp.Hash()))
		case linkOpen:
			p.passed(fault.StagePPP, fmt.Sprintf("link open, the server takes packets of up to %d bytes", e.link.PeerMRU()))
		case loggedIn:
			p.passed(fault.StageAuth, "logged in by "+methodText(o.text))
		case released:
			if o.err != nil {
				if t := p.cfg.Tunnel; o.err.Code == fault.AuthMethodRefused && withholds(t, p.report.Info) {
					explainWithheld(t, p.report.Info, o.err)
				}
				p.failed(o.err)
			}
			return true
		}
	}
	return false
}

func methodText(method string) string {
	if method == "" {
		return "no method: the server asked for none"
	}
	return method
}
