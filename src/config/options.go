package config

// Type is the shape of an option's value.
type Type uint8

// The shapes.
const (
	String Type = iota
	List
	Int
	Bool
)

// Option describes one option.
type Option struct {
	Name   string
	Type   Type
	Secret bool // never shown: not in a message, a log or a status
}

// Options returns every option of the product, in the order of the documentation.
func Options() []Option { return nil }
