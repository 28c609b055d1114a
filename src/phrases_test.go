package layers_test

import (
	"flag"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// phraseList is where the web interface's catalogues take the daemon's phrases from, one a line.
const phraseList = "../luci/tests/phrases.txt"

var writePhrases = flag.Bool("write-phrases", false, "write the list of the daemon's phrases")

// The daemon's phrases are the constants of type phrase.Format in what the router's program links. The list is written by
// go test ./src -run Phrases -write-phrases; then node luci/tests/i18n.mjs brings the catalogues to it.
func TestTheListOfPhrasesIsThatOfTheSources(t *testing.T) {
	found := phrases(t)
	if *writePhrases {
		if err := os.WriteFile(phraseList, []byte(strings.Join(found, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list, err := os.ReadFile(phraseList)
	if err != nil {
		t.Fatal(err)
	}
	listed := strings.Split(strings.TrimSuffix(string(list), "\n"), "\n")
	for _, p := range found {
		if !slices.Contains(listed, p) {
			t.Errorf("not in the list: %q", p)
		}
		if rest := strings.ReplaceAll(p, "%s", ""); strings.ContainsAny(rest, "%\n") {
			t.Errorf("%q: a phrase has no other gaps than %%s, and one line", p)
		}
	}
	for _, p := range listed {
		if !slices.Contains(found, p) {
			t.Errorf("in the list, but no longer said: %q", p)
		}
	}
	if len(found) < 100 {
		t.Errorf("only %d phrases were found", len(found))
	}
}

// phrases returns every text of type phrase.Format in the packages that the router's program is made of, sorted. A call that
// gives a format another number of arguments than it has gaps fails the test.
func phrases(t *testing.T) []string {
	exports := map[string]string{}
	var ours []string
	for _, line := range goList(t, `{{.ImportPath}} {{.Export}}`, "-export", "-deps", "sstp/src/cmd/sstp") {
		path, file, _ := strings.Cut(line, " ")
		exports[path] = file
		if strings.HasPrefix(path, "sstp/src/") {
			ours = append(ours, path)
		}
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	set := map[string]bool{}
	for _, path := range ours {
		var files []*ast.File
		for _, name := range goList(t, `{{range .GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}`, path) {
			if name == "" {
				continue
			}
			f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		info := types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		if _, err := (&types.Config{Importer: imports}).Check(path, fset, files, &info); err != nil {
			t.Fatal(err)
		}
		collect(t, fset, &info, files, set)
	}
	var list []string
	for p := range set {
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}

// collect adds the constants of type phrase.Format to a set. What is only a part of another constant is none itself.
func collect(t *testing.T, fset *token.FileSet, info *types.Info, files []*ast.File, set map[string]bool) {
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				checkCall(t, fset, info, call)
			}
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			tv := info.Types[e]
			if tv.Value == nil || !isFormat(tv.Type) || tv.Value.Kind() != constant.String {
				return true
			}
			if text := constant.StringVal(tv.Value); isPhrase(text) {
				set[text] = true
			}
			return false
		})
	}
}

// isPhrase reports whether a text has words: a code in capitals is a key of another kind.
func isPhrase(text string) bool { return text != "" && text != strings.ToUpper(text) }

func isFormat(t types.Type) bool { return t != nil && t.String() == "sstp/src/phrase.Format" }

// checkCall compares a format with the arguments that follow it.
func checkCall(t *testing.T, fset *token.FileSet, info *types.Info, call *ast.CallExpr) {
	signature, ok := info.Types[call.Fun].Type.(*types.Signature)
	if !ok || !signature.Variadic() || call.Ellipsis.IsValid() || signature.Params().Len() < 2 {
		return
	}
	at := signature.Params().Len() - 2
	if !isFormat(signature.Params().At(at).Type()) || info.Types[call.Args[at]].Value == nil {
		return
	}
	format := constant.StringVal(info.Types[call.Args[at]].Value)
	if gaps, given := strings.Count(format, "%s"), len(call.Args)-at-1; gaps != given {
		t.Errorf("%s: %q has %d gaps and gets %d arguments", fset.Position(call.Pos()), format, gaps, given)
	}
}
