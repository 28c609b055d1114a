// Command crash works, panics, faults or waits for a signal, as its argument says: a program to clear and to read tracebacks
// of.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

func main() {
	switch os.Args[1] {
	case "work":
		fmt.Println(work())
	case "panic":
		stack[string]{}.deep(3, "all is lost")
	case "fault":
		var n *node
		func() {
			defer fmt.Println("a deferred call ran")
			fmt.Println(outer(n))
		}()
	case "index":
		fmt.Println(element(os.Args, 7))
	case "goroutine":
		go func() { panic(fmt.Errorf("in a goroutine: %w", os.ErrClosed)) }()
		select {}
	case "wait":
		go park(make(chan int))
		time.AfterFunc(50*time.Millisecond, func() { fmt.Println("waiting") })
		for {
			time.Sleep(time.Hour)
		}
	}
}

type stack[T any] struct{}

//go:noinline
func (s stack[T]) deep(n int, last any) {
	if n == 0 {
		panic(last)
	}
	s.deep(n-1, last)
	runtime.KeepAlive(s)
}

type node struct {
	next  *node
	value int
}

// outer and inner are inlined, so that the fault lies two functions deep in a third.
func outer(n *node) int {
	return 1 + inner(n)
}

func inner(n *node) int {
	return n.value
}

//go:noinline
func element(list []string, i int) string { return list[i] }

//go:noinline
func park(c chan int) { <-c }

// work needs all tables that a running program needs: it grows stacks, collects garbage while pointers are on them, panics
// and recovers, and is preempted.
func work() string {
	results := make(chan int)
	spinning := make(chan struct{})
	go func() {
		for i := 0; ; i++ {
			select {
			case <-spinning:
				return
			default:
			}
		}
	}()
	for i := range 4 {
		go func() { results <- grow(2000, &node{value: i}) }()
	}
	sum := 0
	for range 4 {
		sum += <-results
		runtime.GC()
	}
	close(spinning)
	recovered := func() (text string) {
		defer func() { text = fmt.Sprint(recover()) }()
		return element(nil, sum)
	}()
	_, file, line, ok := runtime.Caller(0)
	return fmt.Sprint(sum, " ", recovered, " ", strings.HasSuffix(file, "main.go") && line > 0 && ok)
}

//go:noinline
func grow(depth int, n *node) int {
	if depth == 0 {
		runtime.GC()
		return n.value
	}
	local := &node{n, depth}
	sum := grow(depth-1, local)
	if local.next.value < 0 {
		return -1
	}
	return sum + 1
}
