// Package session keeps one tunnel up: it dials, runs the protocols of each call, tells the machine's network what came
// of it, and dials again with growing pauses. One goroutine (Session.Run) owns all control state; sockets, the TUN
// device and the network's configuration are reached through the small interfaces declared here.
//
// The protocols themselves are the pure packages sstp, ppp and auth; engine joins the three into one call. What a call
// means for the device, its addresses and the time of the next try is decided in session.go and its neighbours.
package session
