package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// unpackIPK reads the files of a package back.
func unpackIPK(file string) (payload, error) {
	packed, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return unpackData(packed)
}

func unpackData(packed []byte) (payload, error) {
	outer, err := untar(packed)
	if err != nil {
		return nil, err
	}
	return untar(outer["data.tar.gz"].data)
}

func untar(packed []byte) (payload, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	files := payload{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		if h.Uid != 0 || h.Gid != 0 {
			return nil, errors.New(h.Name + " does not belong to root")
		}
		if name := strings.Trim(strings.TrimPrefix(h.Name, "./"), "/"); name != "" {
			mode := fs.FileMode(h.Mode)
			if h.Typeflag == tar.TypeDir {
				mode |= fs.ModeDir
			}
			files[name] = entry{mode, data}
		}
	}
}
