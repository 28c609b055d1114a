package datapath

// owner is the goroutine that may read the device while the pumps run. The zero value is the uplink.
//
//	from            event                                               to
//	uplinkReads     lend: a write takes too long                        reliefReads
//	reliefReads     recall: nothing is queued any more, or the end      reliefReturns
//	reliefReturns   returned: relief has stopped reading                uplinkReads
//
// Relief's goroutine calls lend, and only during a write that is watched. The uplink calls the other two, and only
// between such writes. Every change is made under relief's mutex. So the uplink may look at the owner without the mutex
// whenever it is not inside a watched write.
//
// A device goes from one call to the next, or to a Refuser in between, only after Pumps.Stop or Refuser.Stop has
// returned. Both wait for their goroutines, so those hand-overs need no state.
type owner uint8

const (
	uplinkReads   owner = iota // the uplink reads the device by itself
	reliefReads                // relief reads the device into its queue
	reliefReturns              // the uplink waits until relief has stopped reading
)

// lend gives the device to relief. It reports false when the uplink does not have it.
func (o *owner) lend() bool {
	if *o != uplinkReads {
		return false
	}
	*o = reliefReads
	return true
}

// recall asks for the device.
func (o *owner) recall() {
	if *o == reliefReads {
		*o = reliefReturns
	}
}

// returned gives the device back to the uplink.
func (o *owner) returned() { *o = uplinkReads }
