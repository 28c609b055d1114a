package auth

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"golang.org/x/crypto/md4" //lint:ignore SA1019 the hash of RFC 2759
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantHex(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if hex.EncodeToString(got) != want {
		t.Errorf("%s = %x, want %s", what, got, want)
	}
}

func TestPrimitivesGiveTheirPublishedValues(t *testing.T) {
	h := md4.New()
	h.Write([]byte("abc"))
	wantHex(t, `MD4("abc") (RFC 1320 A.5)`, h.Sum(nil), "a448017aaf21d8525fc10ae87aa6729d")
	got := ChallengeResponse([8]byte{}, [16]byte{})
	wantHex(t, "DES of zeros with the key of zeros, three times", got[:],
		"8ca64de9c1b123a78ca64de9c1b123a78ca64de9c1b123a7")
	key := desKey([7]byte{0xff, 0x80, 0, 0, 0, 0, 0x01})
	wantHex(t, "56 bits over eight bytes", key[:], "fec0000000000002")
}

// The example of RFC 2759 section 9.2, and that of RFC 3079 section 3.5.3, which goes on with the same user.
func TestRFC2759And3079Example(t *testing.T) {
	const user, password = "User", "clientPass"
	auth := [16]byte(unhex(t, "5b5d7c7d7b3f2f3e3c2c602132262628"))
	peer := [16]byte(unhex(t, "21402324255e262a28295f2b3a337c7e"))

	challenge := ChallengeHash(peer, auth, user)
	wantHex(t, "ChallengeHash", challenge[:], "d02e4386bce91226")
	hash := NtPasswordHash(password)
	wantHex(t, "NtPasswordHash", hash[:], "44ebba8d5312b8d611474411f56989ae")
	hashHash := HashNtPasswordHash(hash)
	wantHex(t, "HashNtPasswordHash", hashHash[:], "41c00c584bd2d91c4017a2a12fa59f3f")
	nt := GenerateNTResponse(auth, peer, user, hash)
	wantHex(t, "NT-Response", nt[:], "82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df")
	s := GenerateAuthenticatorResponse(hash, nt, peer, auth, user)
	if string(s[:]) != "S=407A5589115FD0D6209F510FE9C04566932CDA56" {
		t.Errorf("authenticator response %q", s)
	}
	master := MasterKey(hashHash, nt)
	wantHex(t, "MasterKey", master[:], "fdece3717a8c838cb388e527ae3cdd31")
	send, receive := StartKeys(master)
	wantHex(t, "client's send key", send[:], "d5f0e9521e3ea9589645e86051c82226")
	wantHex(t, "client's receive key (RFC 3079: the server's SendStartKey128)", receive[:],
		"8b7cdc149b993a1ba118cb153f56dccb")
}

// vectors is the part of crypto-binding-vectors.json that this package computes.
type vectors struct {
	Vectors []struct {
		ID       string `json:"id"`
		HLAK     string `json:"hlak"`
		MSCHAPv2 *struct {
			Name       string `json:"username_in_name_field"`
			Hashed     string `json:"username_hashed"`
			Password   string `json:"password"`
			Auth       string `json:"authenticator_challenge"`
			Peer       string `json:"peer_challenge"`
			Challenge  string `json:"challenge_hash"`
			Hash       string `json:"nt_password_hash"`
			HashHash   string `json:"nt_password_hash_hash"`
			NTResponse string `json:"nt_response"`
			Value      string `json:"response_value_49"`
			Success    string `json:"success_string"`
			Master     string `json:"mppe_master_key"`
			Send       string `json:"client_master_send_key_magic2"`
			Receive    string `json:"client_master_receive_key_magic3"`
		} `json:"mschapv2"`
	} `json:"vectors"`
	CHAPMD5 struct {
		Identifier uint8  `json:"identifier"`
		Secret     string `json:"secret"`
		Challenge  string `json:"challenge"`
		Response   string `json:"response_value"`
	} `json:"chap_md5"`
	Wire map[string]string `json:"wire_examples"`
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

func TestCryptoBindingVectorsUpToTheHLAK(t *testing.T) {
	tested := 0
	for _, v := range readVectors(t).Vectors {
		if v.MSCHAPv2 == nil {
			continue
		}
		tested++
		t.Run(v.ID, func(t *testing.T) {
			m := v.MSCHAPv2
			if got := StripDomain(m.Name); got != m.Hashed {
				t.Errorf("hashed name of %q is %q, want %q", m.Name, got, m.Hashed)
			}
			auth := [16]byte(unhex(t, m.Auth))
			challenge := ChallengeHash([16]byte(unhex(t, m.Peer)), auth, m.Hashed)
			wantHex(t, "challenge hash", challenge[:], m.Challenge)
			hash := NtPasswordHash(m.Password)
			wantHex(t, "NT hash (UTF-16 with surrogates)", hash[:], m.Hash)
			hashHash := HashNtPasswordHash(hash)
			wantHex(t, "hash of the hash", hashHash[:], m.HashHash)

			value, p, err := answerMSCHAPv2(bytes.NewReader(unhex(t, m.Peer)), m.Name, m.Password, auth)
			if err != nil {
				t.Fatal(err)
			}
			wantHex(t, "response value", value[:], m.Value)
			if string(p.want[:]) != m.Success {
				t.Errorf("expected proof %q, want %q", p.want, m.Success)
			}
			master := MasterKey(hashHash, [24]byte(unhex(t, m.NTResponse)))
			wantHex(t, "master key", master[:], m.Master)
			send, receive := StartKeys(master)
			wantHex(t, "send key", send[:], m.Send)
			wantHex(t, "receive key", receive[:], m.Receive)
			wantHex(t, "HLAK", p.hlak[:], v.HLAK)
		})
	}
	if tested < 3 {
		t.Errorf("%d vectors with MS-CHAPv2, want at least V1, V2 and V3", tested)
	}
}

func TestStripDomain(t *testing.T) {
	for name, want := range map[string]string{
		"User":         "User",
		`CORP\alice`:   "alice",
		`A\B\c`:        "c",
		`CORP\`:        "",
		"user@realm":   "user@realm",
		`D\user@realm`: "user@realm",
		"":             "",
	} {
		if got := StripDomain(name); got != want {
			t.Errorf("StripDomain(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestProofIsTheFirst42Bytes(t *testing.T) {
	p := proof{want: [42]byte([]byte("S=407A5589115FD0D6209F510FE9C04566932CDA56"))}
	for message, want := range map[string]bool{
		"S=407A5589115FD0D6209F510FE9C04566932CDA56":                            true, // RRAS, SoftEther
		"S=407A5589115FD0D6209F510FE9C04566932CDA56 M=Authentication succeeded": true, // accel-ppp
		"S=407A5589115FD0D6209F510FE9C04566932CDA56\x00":                        true,
		"S=407A5589115FD0D6209F510FE9C04566932CDA57":                            false,
		"S=407A5589115FD0D6209F510FE9C04566932CDA5":                             false,
		"": false,
		"M=Welcome S=407A5589115FD0D6209F510FE9C04566932CDA56": false,
	} {
		if got := p.verify([]byte(message)); got != want {
			t.Errorf("verify(%q) = %v, want %v", message, got, want)
		}
	}
}
