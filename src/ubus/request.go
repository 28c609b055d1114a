package ubus

import "context"

// request is a question of ours that waits for its status. The functions may be nil. The reader calls them in the order in
// which ubusd sent its messages, with conn.mu held, and never after the asker has given up.
type request struct {
	peer     uint32              // the header's: the object's id in a call, 0 otherwise
	data     func(a *Attributes) // a DATA message has come
	accepted func()              // STATUS 0 has come

	over    chan struct{} // closed with the answer
	ended   bool          // the rest is the answer
	status  Status
	byOwner bool // the object's owner gave the status; otherwise ubusd did
}

// ask sends a request and waits for its end. The error is a Status other than 0, that of ctx, or a *LostError.
func (k *conn) ask(ctx context.Context, typ MessageType, body []byte, r *request) error {
	if attrHeaderLen+len(body) > MaxMessage {
		return errTooLong
	}
	if err := k.waitForRoom(ctx); err != nil {
		return err
	}
	seq, free := k.freeSeq()
	if !free {
		k.mu.Unlock()
		return StatusNoMemory
	}
	r.over = make(chan struct{})
	k.pending[seq] = r
	k.post(typ, seq, r.peer, body)
	k.mu.Unlock()

	select {
	case <-r.over:
	case <-ctx.Done():
	case <-k.ctx.Done():
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch { // an answer counts even if the time or the connection ended together with it
	case r.ended && r.status != StatusOK:
		return r.status
	case r.ended:
		return nil
	}
	delete(k.pending, seq)
	if k.err != nil {
		return &LostError{k.err}
	}
	return ctx.Err()
}

// freeSeq returns the next number with which no request waits. The caller holds k.mu.
func (k *conn) freeSeq() (seq uint16, ok bool) {
	for range 1 << 16 {
		k.lastSeq++
		if _, busy := k.pending[k.lastSeq]; !busy {
			return k.lastSeq, true
		}
	}
	return 0, false
}

// answered hands a message to the request that it belongs to, by number and peer: the answer to a request that was given
// up may come while its number already serves another.
func (k *conn) answered(m Message, a *Attributes) {
	r := k.pending[m.Seq]
	if r == nil || r.peer != m.Peer {
		return
	}
	if m.Type == MessageData {
		if r.data != nil {
			r.data(a)
		}
		return
	}
	delete(k.pending, m.Seq)
	r.ended, r.status, r.byOwner = true, a.Status, a.Has(AttrObject)
	if !a.Has(AttrStatus) {
		r.status = StatusParseError
	}
	if r.status == StatusOK && r.accepted != nil {
		r.accepted()
	}
	close(r.over)
}

// askUbusd asks what ubusd answers by itself. A ubusd that does not do so in time is none: with it, what it has registered
// for us and what not would remain unknown.
func (k *conn) askUbusd(typ MessageType, body []byte, r *request) error {
	ctx, cancel := context.WithTimeout(k.ctx, callTimeout)
	defer cancel()
	err := k.ask(ctx, typ, body, r)
	if err == context.DeadlineExceeded {
		k.fail(errSilent)
		return k.cause()
	}
	return err
}
