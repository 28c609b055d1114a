package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// testdata/catalogue.lmo is what po2lmo of LuCI's openwrt-25.12 made of catalogue.po.
func TestCataloguesAreTheSameAsPo2lmoMakes(t *testing.T) {
	po, err := os.ReadFile("testdata/catalogue.po")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/catalogue.lmo")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := compileLMO(string(po)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("error %v, compiled to\n%q, want\n%q", err, got, want)
	}
}

// With PO2LMO=/path/to/po2lmo, and PO with a pattern of .po files beside ours, all of them are compared.
func TestOurCataloguesAreTheSameAsWithPo2lmo(t *testing.T) {
	files, err := filepath.Glob("../../luci/po/*/*.po")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(os.Getenv("PO"))
	if err != nil {
		t.Fatal(err)
	}
	po2lmo := os.Getenv("PO2LMO")
	for _, file := range append(files, more...) {
		po, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := compileLMO(string(po))
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if po2lmo == "" {
			continue
		}
		out := filepath.Join(t.TempDir(), "out.lmo")
		if text, err := exec.Command(po2lmo, file, out).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if want, _ := os.ReadFile(out); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes differ from po2lmo's %d", file, len(got), len(want))
		}
	}
}

func TestACatalogueWithoutTranslationsIsNone(t *testing.T) {
	for _, po := range []string{"", "msgid \"a\"\nmsgstr \"\"\n", "msgid \"a\"\nmsgstr \"a\"\n"} {
		if got, err := compileLMO(po); got != nil || err != nil {
			t.Errorf("%q compiles to %q, %v", po, got, err)
		}
	}
}

func TestWhatIsNoCatalogueIsRefusedByLine(t *testing.T) {
	for _, po := range []string{"msgid \"a\nmsgstr \"b\"\n", "\"text\"\n", "msgid \"a\"\nmsgstr[1] \"b\"\n", "nonsense \"a\"\n"} {
		if got, err := compileLMO(po); err == nil {
			t.Errorf("%q compiles to %q", po, got)
		}
	}
}

func FuzzCatalogue(f *testing.F) {
	po, err := os.ReadFile("testdata/catalogue.po")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(po))
	f.Add("msgid \"a\"\nmsgid_plural \"b\"\nmsgstr[0] \"c\"\nmsgstr[1] \"\"\n")
	f.Fuzz(func(t *testing.T, po string) {
		lmo, err := compileLMO(po)
		if err != nil || lmo == nil {
			return
		}
		end := len(lmo) - 4
		at := int(binary.BigEndian.Uint32(lmo[end:]))
		if at > end || (end-at)%16 != 0 {
			t.Fatalf("the index lies from %d to %d", at, end)
		}
		last := uint32(0)
		for ; at < end; at += 16 {
			key, offset, length := binary.BigEndian.Uint32(lmo[at:]), binary.BigEndian.Uint32(lmo[at+8:]), binary.BigEndian.Uint32(lmo[at+12:])
			if key < last || uint64(offset)+uint64(length) > uint64(end) {
				t.Fatalf("entry %08x after %08x, text from %d with %d bytes", key, last, offset, length)
			}
			last = key
		}
	})
}
