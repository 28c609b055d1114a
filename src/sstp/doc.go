// Package sstp is the Secure Socket Tunneling Protocol of [MS-SSTP] (v21.0): its packets, the HTTP opening that comes
// before them, the state machine of a call in the client's and in the server's role, and the crypto binding that ties
// the TLS connection to the login inside it.
//
// The package computes: bytes, time and results of the authentication come in as arguments, what must be done comes out
// as a list of actions. It opens no connection, starts no goroutine, reads no clock and knows nothing of PPP but how to
// tell a control frame from a network frame.
package sstp
