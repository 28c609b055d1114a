package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"strings"
)

// untar reads the files of a compressed tar back.
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
