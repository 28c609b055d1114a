package session

import (
	"slices"
	"time"

	"sstp/src/config"
)

// phase is what a session is doing. Whether the machine's network has the tunnel's link is another matter, of the
// announcer: a lost call is redialed while the link stays announced.
type phase uint8

const (
	phaseWaiting     phase = iota // there is no call; the next is dialed at a known time
	phaseDialing                  // a server is being reached
	phaseCalling                  // the protocols of a call negotiate
	phaseUp                       // packets flow
	phaseSurrendered              // no more calls until the user wants one; the link stays announced
	phaseStopping                 // the call, if any, and the link are being ended
	phaseFinished                 // Run returns
	numPhases        = int(phaseFinished)
)

// String returns the phase's name.
func (p phase) String() string {
	return [...]string{"waiting", "dialing", "calling", "up", "surrendered", "stopping", "finished"}[p]
}

// follows lists the phases that may follow each phase.
var follows = [...][]phase{
	phaseWaiting:     {phaseDialing, phaseStopping},
	phaseDialing:     {phaseDialing, phaseCalling, phaseWaiting, phaseSurrendered, phaseStopping},
	phaseCalling:     {phaseUp, phaseDialing, phaseWaiting, phaseSurrendered, phaseStopping},
	phaseUp:          {phaseDialing, phaseWaiting, phaseStopping},
	phaseSurrendered: {phaseDialing, phaseStopping},
	phaseStopping:    {phaseFinished},
	phaseFinished:    {},
}

// enter moves the session to another phase. It is the only place that changes it.
func (s *Session) enter(next phase) {
	if !slices.Contains(follows[s.phase], next) {
		s.cfg.Log(config.LogError, "lifecycle: %v follows %v, which it must not", next, s.phase)
	}
	s.phase = next
}

// eventKind is what can happen to a session.
type eventKind uint8

const (
	// From a dial.
	evStage  eventKind = iota // it entered a stage
	evDialed                  // it ended, with a connection or an error
	// From the call.
	evPacket      // an SSTP packet that the data path does not handle itself
	evStreamEnded // the data path ended
	evCallEnded   // its protocols are through
	// From the machine.
	evAnnounced  // Host.Up returned
	evWithdrawn  // Host.Down returned
	evChecked    // Host.Check returned
	evReported   // Host.Failed returned
	evDeviceLost // the device of a lost call is gone
	evRecheck    // something in the kernel may have changed
	// From outside.
	evReconnect   // the user wants a new call now
	evUplinkFound // there is a way to the server again, or a better one
	evUplinkLost  // the way to the server is gone
	evStop        // Run's context ended
	// From the clock.
	evRetryDue // the pause before the next call is over
	evHoldDue  // the device of a lost call was kept for as long as option hold says
	evCheckDue // the kernel was not looked at for a while
	evCallDue  // a deadline of the call's protocols has come
	evStopDue  // stopping has taken too long
	numEvents
)

// reaction is what an event does in one phase.
type reaction func(s *Session, now time.Time, e event)

// lifecycle says what each event does in each phase. The protocols of a call have their own tables, in sstp and ppp.
var lifecycle = [numEvents][numPhases]reaction{
	//              waiting        dialing        calling        up             surrendered    stopping
	evStage:       {ignore, showStage, ignore, ignore, ignore, ignore},
	evDialed:      {closeConn, dialed, closeConn, closeConn, closeConn, dialedTooLate},
	evPacket:      {ignore, ignore, receive, receive, ignore, receive},
	evStreamEnded: {ignore, ignore, streamEnded, streamEnded, ignore, streamEnded},
	evCallEnded:   {ignore, ignore, callFailed, callLost, ignore, callClosed},
	evAnnounced:   {announcedWithoutCall, announcedWithoutCall, announced, announced, announcedWithoutCall, announcedTooLate},
	evWithdrawn:   {withdrawn, withdrawn, withdrawn, withdrawn, withdrawn, withdrawn},
	evChecked:     {checked, checked, checked, checked, checked, ignore},
	evReported:    {ignore, ignore, ignore, ignore, ignore, ignore},
	evDeviceLost:  {deviceLost, deviceLost, deviceLost, deviceLost, deviceLost, ignore},
	evRecheck:     {recheck, recheck, recheck, recheck, recheck, ignore},
	evReconnect:   {redial, redialInstead, hangUp, hangUp, resume, ignore},
	evUplinkFound: {redial, redialInstead, hangUp, hangUp, ignore, ignore},
	evUplinkLost:  {ignore, leaveUplink, dropCall, dropCall, ignore, ignore},
	evStop:        {stop, stop, stop, stop, stop, ignore},
	evRetryDue:    {retry, ignore, ignore, ignore, ignore, ignore},
	evHoldDue:     {holdDue, holdDue, holdDue, ignore, ignore, ignore},
	evCheckDue:    {checkDue, checkDue, checkDue, checkDue, checkDue, ignore},
	evCallDue:     {ignore, ignore, callDue, callDue, ignore, callDue},
	evStopDue:     {ignore, ignore, ignore, ignore, ignore, breakOff},
}

// react looks the event up in the table.
func (s *Session) react(now time.Time, e event) { lifecycle[e.kind()][s.phase](s, now, e) }

func ignore(*Session, time.Time, event) {}
