// Package linetables removes the line tables from a linked Go program, and reads the tracebacks of such a program with the
// help of the file that still has them.
//
// A third of a compressed Go program is its table of functions, the section .gopclntab, and more than half of the program
// counter tables in it only give file names and line numbers for tracebacks. Clear sets these tables to zero in place:
// nothing moves, so that no address in the program changes, and zeros compress to nothing. Everything that the runtime
// works with stays: stack sizes, stack maps, inlining, preemption points. A traceback of the cleared program shows ?:0
// instead of file and line, with the function's name and the offset in it as before; Annotate turns these into file and
// line again. The values of arguments, which optimised functions often overwrite, are gone: main.f() instead of main.f(0x1).
//
// The layout is that of cmd/link/internal/ld/pcln.go and runtime/symtab.go. Clear leaves a program alone whose layout it
// does not know.
package linetables
