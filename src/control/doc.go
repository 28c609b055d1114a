// Package control is a tunnel's own object on the bus, sstp.NAME: its status, its history, and what may be asked of it, and
// the event by which it tells of changes. It knows what a status consists of and how it is written down; where it comes
// from is its caller's business, and so is what is done with it on a screen.
//
// Times are Unix seconds, durations carry their unit in the name, and no field ever holds a secret.
package control
