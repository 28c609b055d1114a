package sstp

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// hexBytes is text in JSON, bytes here.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// vectors is testdata/crypto-binding-vectors.json. V7 and V8 are the examples that [MS-SSTP] 4.7 prints.
type vectors struct {
	Certificate hexBytes `json:"certificate_der"`
	Vectors     []struct {
		ID            string
		HashProtocol  HashProtocol `json:"hash_protocol"`
		CertHashFrom  string       `json:"cert_hash_from"`
		CertHash      hexBytes     `json:"cert_hash"`
		Nonce         hexBytes
		HLAK          hexBytes
		MAC           hexBytes `json:"compound_mac"`
		CallConnected hexBytes `json:"call_connected"`
	}
	WrongMACs map[string]string `json:"wrong_macs_for_v1"`
	Wire      map[string]string `json:"wire_examples"`
}

func readVectors(t testing.TB) (v vectors) {
	t.Helper()
	text, err := os.ReadFile("testdata/crypto-binding-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestConformance1CallConnectedOfAllVectors(t *testing.T) {
	v := readVectors(t)
	if len(v.Vectors) != 8 || len(v.WrongMACs) != 10 {
		t.Fatalf("%d vectors and %d wrong MACs, want V1 to V8 and nine with a note", len(v.Vectors), len(v.WrongMACs))
	}
	for _, x := range v.Vectors {
		t.Run(x.ID, func(t *testing.T) {
			nonce, hlak := [32]byte(x.Nonce), HLAK(x.HLAK)
			got := appendBinding([]byte("before"), x.HashProtocol, nonce, x.CertHash, hlak)
			if want := "before" + string(x.CallConnected); string(got) != want {
				t.Errorf("CALL_CONNECTED is\n%x, want\n%x", got, want)
			}
			if x.CertHashFrom == "certificate_der" {
				got = AppendCallConnected(nil, x.HashProtocol, nonce, v.Certificate, hlak)
				if !bytes.Equal(got, x.CallConnected) {
					t.Errorf("CALL_CONNECTED from the certificate is\n%x, want\n%x", got, x.CallConnected)
				}
				if err := VerifyCallConnected(got, HashSHA1|HashSHA256, nonce, v.Certificate, hlak); err != nil {
					t.Errorf("the server refuses it: %v", err)
				}
			}
			for mistake, mac := range v.WrongMACs {
				if mistake == "hlak_all_zero" && x.ID == "V4" {
					continue // there the key is zero by right
				}
				if mistake != "about" && strings.Contains(hex.EncodeToString(got), mac) {
					t.Errorf("the MAC is that of the mistake %q", mistake)
				}
			}
		})
	}
}

func TestServerFindsTheWrongPartOfCallConnected(t *testing.T) {
	v := readVectors(t)
	x := v.Vectors[0]
	nonce, hlak := [32]byte(x.Nonce), HLAK(x.HLAK)
	change := func(at int, b ...byte) []byte {
		p := bytes.Clone(x.CallConnected)
		copy(p[at:], b)
		return p
	}
	tests := []struct {
		name string
		pkt  []byte
		mask HashProtocol
		attr AttributeID
		code Status
		part string
	}{
		{"nonce", change(16, 0xff), 3, CryptoBinding, StatusValueNotSupported, "nonce"},
		{"certificate", change(48, 0xff), 3, CryptoBinding, StatusValueNotSupported, "another certificate"},
		{"MAC", change(111, 0xff), 3, CryptoBinding, StatusValueNotSupported, "compound MAC"},
		{"reserved byte under the MAC", change(12, 0xff), 3, CryptoBinding, StatusValueNotSupported, "compound MAC"},
		{"hash not offered", x.CallConnected, HashSHA1, CryptoBinding, StatusValueNotSupported, "hash protocol"},
		{"a mask instead of a hash", change(15, 3), 3, CryptoBinding, StatusValueNotSupported, "hash protocol"},
		{"no hash", change(15, 0), 3, CryptoBinding, StatusValueNotSupported, "hash protocol"},
		{"no attribute", AppendControl(nil, CallConnected), 3, StatusInfoID, StatusAttribNotSupportedInMsg, "missing"},
		{"another attribute", change(9, 4), 3, StatusInfoID, StatusAttribNotSupportedInMsg, "missing"},
		{
			"short attribute", AppendControl(nil, CallConnected, Attribute{CryptoBinding, x.CallConnected[12:111]}), 3,
			StatusInfoID, StatusAttribNotSupportedInMsg, "length",
		},
		{
			"two attributes", AppendControl(nil, CallConnected, Attribute{CryptoBinding, x.CallConnected[12:]}, Attribute{ID: 1}), 3,
			StatusInfoID, StatusAttribNotSupportedInMsg, "length",
		},
		{"attribute outside its packet", change(11, 0x69), 3, StatusInfoID, StatusAttribNotSupportedInMsg, "fit"},
		{"another message", change(5, 5), 3, StatusInfoID, StatusAttribNotSupportedInMsg, "no CALL_CONNECTED"},
	}
	for _, test := range tests {
		err := VerifyCallConnected(test.pkt, test.mask, nonce, v.Certificate, hlak)
		var wrong *BindingError
		if !errors.As(err, &wrong) || wrong.Attribute != test.attr || wrong.Status != test.code ||
			!strings.Contains(err.Error(), test.part) {
			t.Errorf("%s: %#v, want %v %v about %q", test.name, err, test.attr, test.code, test.part)
		}
	}
	hlak[31] ^= 1
	if VerifyCallConnected(x.CallConnected, 3, nonce, v.Certificate, hlak) == nil {
		t.Error("a key that differs in one bit passes")
	}
}

func TestHashIsTheBestOfTheMask(t *testing.T) {
	for mask, want := range map[HashProtocol]HashProtocol{0: 0, 1: HashSHA1, 2: HashSHA256, 3: HashSHA256, 0x80: 0, 0x81: HashSHA1} {
		if got := mask.choose(); got != want {
			t.Errorf("of mask %#x: %v, want %v", uint8(mask), got, want)
		}
	}
}
