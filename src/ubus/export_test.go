package ubus

// SetLastSeq makes the client number its next request n+1.
func (c *Client) SetLastSeq(n uint16) {
	k := c.current()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lastSeq = n
}

// Hurry makes the pauses of a client that does not run yet begin at a hundredth of their length.
func (c *Client) Hurry() { c.pause /= 100 }

// Pending returns the number of requests that wait for an answer.
func (c *Client) Pending() int {
	k := c.current()
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.pending)
}

// Limits, as tests know them.
const (
	MaxHandlers  = maxHandlers
	MaxInbox     = maxInbox
	CallTimeout  = callTimeout
	StallTimeout = stallTimeout
	MaxPause     = maxPause
)
