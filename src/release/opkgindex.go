package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// opkgIndex returns the files Packages and Packages.gz of a folder: each package's description, with the file's name, size
// and hash put in before the text.
func opkgIndex(packages []*ipkFile) (plain, compressed []byte, err error) {
	packages = slices.SortedFunc(slices.Values(packages), func(x, y *ipkFile) int { return strings.Compare(x.pack.name, y.pack.name) })
	var b bytes.Buffer
	for _, f := range packages {
		fields, description, _ := strings.Cut(f.control, "Description:")
		fmt.Fprintf(&b, "%sFilename: %s\nSize: %d\nSHA256sum: %x\nDescription:%s\n",
			fields, ipkName(f.pack), len(f.data), sha256.Sum256(f.data), description)
	}
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if _, err := z.Write(b.Bytes()); err != nil {
		return nil, nil, err
	}
	err = z.Close()
	return b.Bytes(), out.Bytes(), err
}
