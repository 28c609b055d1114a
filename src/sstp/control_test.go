package sstp

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"
)

func TestControlPacketsAreWrittenAsOnTheWire(t *testing.T) {
	examples := readVectors(t).Wire
	info := func(a AttributeID, s Status, value ...byte) Attribute {
		return StatusInfo{Attribute: a, Status: s, Value: value}.Wrap()
	}
	nonce := wire(t, "00000003 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	for name, got := range map[string][]byte{
		"call_connect_request":                  AppendControl(nil, CallConnectRequest, Attribute{EncapsulatedProtocolID, []byte{0, 1}}),
		"call_connect_ack_both_hashes_nonce_v1": AppendControl(nil, CallConnectAck, Attribute{CryptoBindingReq, nonce}),
		"call_connect_nak_encapsulated_protocol": AppendControl(nil, CallConnectNak,
			info(EncapsulatedProtocolID, StatusValueNotSupported, 0, 1)),
		"call_abort_no_error": AppendControl(nil, CallAbort, info(AttributeNone, StatusNoError)),
		"call_abort_crypto_binding_value_not_supported": AppendControl(nil, CallAbort,
			info(CryptoBinding, StatusValueNotSupported)),
		"call_abort_negotiation_timeout":          AppendControl(nil, CallAbort, info(AttributeNone, StatusNegotiationTimeout)),
		"call_abort_unaccepted_frame":             AppendControl(nil, CallAbort, info(AttributeNone, StatusUnacceptedFrameReceived)),
		"call_disconnect":                         AppendControl(nil, CallDisconnect, info(AttributeNone, StatusNoError)),
		"call_disconnect_no_attributes_softether": AppendControl(nil, CallDisconnect),
		"call_disconnect_ack":                     AppendControl(nil, CallDisconnectAck),
		"echo_request":                            AppendControl(nil, EchoRequest),
		"echo_response":                           AppendControl(nil, EchoResponse),
	} {
		if want := wire(t, examples[name]); !bytes.Equal(got, want) {
			t.Errorf("%s is\n%x, want\n%x", name, got, want)
		}
	}
}

func TestConformance5WhatServersSendBesidesTheLetter(t *testing.T) {
	tests := []struct {
		server string
		packet string
		typ    MessageType
		status string // what is left of the Status Info
		err    error
	}{
		{"RRAS: a full Status Info", "10010014 0005 0001 0002 000c 000000 03 00000004", CallAbort, "VALUE_NOT_SUPPORTED, attribute CRYPTO_BINDING", nil},
		{"SoftEther 5.02: no attribute in ABORT", "10010008 0005 0000", CallAbort, "none", nil},
		{"SoftEther 5.02: NAK without the value", "10010014 0003 0001 0002 000c 000000 01 00000004", CallConnectNak, "VALUE_NOT_SUPPORTED, attribute ENCAPSULATED_PROTOCOL_ID", nil},
		{"accel-ppp: two bytes of the NAK outside its attribute", "10010016 0003 0001 0002 000c 000000 01 00000004 0001", CallConnectNak, "VALUE_NOT_SUPPORTED, attribute ENCAPSULATED_PROTOCOL_ID", nil},
		{"sorz sstp-server: a Status Info of four bytes", "10010010 0005 0001 0002 0008 00000007", CallAbort, "none", nil},
		{"sorz sstp-server: DISCONNECT with attribute 0", "10010010 0006 0001 0000 0008 00000000", CallDisconnect, "none", nil},
		{"reserved bits in the attribute's length", "10010014 0005 0001 0002 f00c 000000 00 00000008", CallAbort, "NEGOTIATION_TIMEOUT", nil},
		{"a status from the future", "10010014 0005 0001 0002 000c 000000 09 00000100", CallAbort, "status 0x100, attribute 0x9", nil},
		{"a message from the future", "10010008 00ff 0000", 0xff, "none", nil},
		{"an attribute of length 0 must not loop", "1001000c 0005 0001 0002 0000", CallAbort, "none", ErrAttribute},
		{"an attribute longer than its packet", "1001000c 0005 0001 0002 0005", CallAbort, "none", ErrAttribute},
		{"attributes that are claimed only", "10010008 0005 ffff", CallAbort, "none", ErrAttribute},
		{
			"a good attribute before a broken one", "10010018 0005 0002 0002 000c 000000 00 00000007 0002 0003",
			CallAbort, "INVALID_FRAME_RECEIVED", ErrAttribute,
		},
		{"a data packet", "10000008 ff03c021", 0, "none", ErrNotControl},
	}
	for _, test := range tests {
		m, err := ParseControl(wire(t, test.packet))
		status := "none"
		if s, ok := m.StatusInfo(); ok {
			status = s.String()
		}
		if m.Type != test.typ || status != test.status || !errors.Is(err, test.err) {
			t.Errorf("%s: %v, status %s, %v; want %v, status %s, %v",
				test.server, m.Type, status, err, test.typ, test.status, test.err)
		}
	}
}

func TestNoControlPacketIsLongerThanItsLengthFieldCanSay(t *testing.T) {
	long := Attribute{ID: 9, Value: make([]byte, MaxPacketLen-8-4)}
	if n := len(AppendControl(nil, 9, long)); n != MaxPacketLen {
		t.Errorf("the longest packet has %d bytes, want %d", n, MaxPacketLen)
	}
	long.Value = append(long.Value, 0)
	if n := len(AppendControl(nil, 9, long)); n != 0 {
		t.Errorf("a packet that does not fit made %d bytes", n)
	}
	if a := (StatusInfo{Value: make([]byte, 4000)}).Wrap(); len(a.Value) != 8+MaxStatusValueLen {
		t.Errorf("a Status Info repeats %d bytes, want %d", len(a.Value)-8, MaxStatusValueLen)
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		CallConnectRequest.String():                "CALL_CONNECT_REQUEST",
		EchoResponse.String():                      "ECHO_RESPONSE",
		MessageType(0).String():                    "message 0x0",
		MessageType(0xabc).String():                "message 0xabc",
		CryptoBindingReq.String():                  "CRYPTO_BINDING_REQ",
		StatusStatusInfoNotSupportedInMsg.String(): "STATUS_INFO_NOT_SUPPORTED_IN_MSG",
		Status(0xffffffff).String():                "status 0xffffffff",
		HashSHA256.String():                        "SHA-256",
		HashSHA1.String():                          "SHA-1",
		HashProtocol(0).String():                   "none",
		StateDisconnected.String():                 "disconnected",
		State(99).String():                         "no state",
	} {
		if got != want {
			t.Errorf("the name is %q, want %q", got, want)
		}
	}
	if len(stateNames) != int(StateDisconnected)+1 || len(statusNames) != int(StatusStatusInfoNotSupportedInMsg)+1 {
		t.Error("a state or a status has no name")
	}
}

func FuzzParseControl(f *testing.F) {
	_, packets := recordedStream(f)
	for _, p := range packets {
		if IsControl(p) {
			f.Add(p)
		}
	}
	f.Fuzz(func(t *testing.T, pkt []byte) {
		if len(pkt) > MaxPacketLen {
			return
		}
		m, err := ParseControl(pkt)
		if len(m.Attributes) > MaxPacketLen/4 {
			t.Fatalf("%d attributes in %d bytes", len(m.Attributes), len(pkt))
		}
		if err != nil {
			return
		}
		out := AppendControl(nil, m.Type, m.Attributes...)
		again, err := ParseControl(out)
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("parse(append(x)) is %v, %v, want %v", again, err, m)
		}
		if s, ok := m.StatusInfo(); ok && len(s.Value) <= MaxStatusValueLen {
			if got, _ := (Message{Attributes: []Attribute{s.Wrap()}}).StatusInfo(); got.Attribute != s.Attribute ||
				got.Status != s.Status || !slices.Equal(got.Value, s.Value) {
				t.Fatalf("a Status Info wrapped and read is %v, want %v", got, s)
			}
		}
	})
}
