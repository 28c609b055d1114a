package main

import (
	"io"
	"os"
)

func serve(s *settings, j job, stdout, stderr io.Writer, stop <-chan os.Signal) int { return 1 }
func (w *world) serve()                                                             {}
