package config

// Parse checks the options of interface name.
func Parse(name string, v Values) (*Tunnel, []Warning, error) { return &Tunnel{Name: name}, nil, nil }
