package session

// The states of a tunnel. A call passes through them in this order; the last three are outside of a call.
const (
	Starting   State = "starting"   // nothing has been tried yet
	Resolving  State = "resolving"  // the server's name is being looked up
	Connecting State = "connecting" // TCP to the server or the proxy, and the proxy's CONNECT
	TLS        State = "tls"        // TLS handshake and the server's certificate
	SSTP       State = "sstp"       // the HTTP opening and the SSTP call request
	Auth       State = "auth"       // PPP's link and the login
	Network    State = "network"    // addresses are agreed and given to the machine
	Up         State = "up"         // packets flow
	Waiting    State = "waiting"    // the last call failed; the next is at a known time
	Holding    State = "holding"    // the call was lost, the device and its addresses are kept while it is dialed again
	Stopping   State = "stopping"   // goodbye is being said
)
