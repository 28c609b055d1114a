# Reads the output of `go test -v`. Prints a line for each reason to skip tests, and how many tests passed.
/^=== (RUN|NAME|CONT) / { test = $3 }
/^ *[a-z0-9_]+_test\.go:[0-9]+: / { said[test] = $0; sub(/^[^:]*:[0-9]+: /, "", said[test]) }
/^ *--- SKIP: / { skipped[said[$3]]++ }
/^ *--- PASS: / { passed++ }
END {
	for (why in skipped) print "skipped: " why " (" skipped[why] (skipped[why] == 1 ? " test)" : " tests)") | "sort"
	close("sort")
	print passed + 0 " tests passed"
}
