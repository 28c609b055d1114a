package netkit

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// What the client prints when packets can flow, and by what it says that it encrypts.
const (
	UpText          = " on sstp-vpn, MTU "
	EncryptedByGo   = "encrypted by Go"
	EncryptedKernel = "encrypted by the kernel"
)

// StartLab starts sstp-lab in the namespace with the user demo and the password secret, and waits until it listens.
func (s *Namespace) StartLab(program string, args ...string) (*Process, error) {
	users, err := s.net.File("users", "demo:secret\n")
	if err != nil {
		return nil, err
	}
	return s.StartAnd("listening", 20*time.Second, append([]string{program, "--tun", "lab0", "--users", users, "--write-ca", s.CA(),
		"--pool", "10.99.0.0/24"}, args...)...)
}

// CA returns the file with the authority that vouches for the server that StartLab starts in the namespace.
func (s *Namespace) CA() string { return filepath.Join(s.net.Dir, s.Name+".pem") }

// Config writes the UCI file of a client named vpn into a folder of the Net and returns the folder. The options, name=value,
// come after those of a client of StartLab that leaves the default route alone; the last of a name counts, and an empty value
// removes it.
func (n *Net) Config(folder string, options ...string) (string, error) {
	values := map[string]string{}
	var order []string
	for _, o := range append([]string{"proto=sstp", "server_name=vpn.test", "username=demo", "password=secret", "defaultroute=0"}, options...) {
		name, value, _ := strings.Cut(o, "=")
		if _, known := values[name]; !known {
			order = append(order, name)
		}
		values[name] = value
	}
	text := "config interface 'vpn'\n"
	for _, name := range order {
		if values[name] != "" {
			text += fmt.Sprintf("\toption %s '%s'\n", name, values[name])
		}
	}
	path, err := n.File(filepath.Join(folder, "network"), text)
	return filepath.Dir(path), err
}
