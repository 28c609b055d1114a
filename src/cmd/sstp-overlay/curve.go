package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// curveFile is the file of Go that computes on P-256 where there is no assembly for the processor. Its own build constraint
// keeps it from all others, so that the overlay changes nothing for those.
const curveFile = "src/crypto/internal/fips140/nistec/p256.go"

// release is the release of Go whose P-256 we have read.
const release = "go1.26"

// readFunctions are the functions that we have read, with the SHA-256 of their text: the two that use the table, and the two
// that do the work without it.
var readFunctions = map[string]string{
	"init":                     "e3333280933282a5795cccf3c89185ce972d8ce803ee940c1706edafb571b582",
	"P256Point.ScalarBaseMult": "c284dd6676ccd627a54ddd30891f3347a2e69550e7e64adc399c5d219302e241",
	"P256Point.ScalarMult":     "465dbdbab7c09a6182b19a8119f87c06aeabf83622b1295348d0bdff7bd1d248",
	"P256Point.SetGenerator":   "a48bba76291d427cd2abfbb80d2723e52523e0663be356cb328d48678fe49656",
}

// baseMult is the new body of ScalarBaseMult. It takes constant time as before: ScalarMult does the same operations for each
// scalar, and chooses from its table by reading all of it, since ECDH multiplies by the same secret keys with it. The other
// operand is the generator, which is public. The point is the same; only its projective coordinates, which no caller sees,
// are others.
const baseMult = `{
	return p.ScalarMult(NewP256Point().SetGenerator(), scalar)
}`

// errUnknown says that Go's source is not what we have read.
var errUnknown = errors.New("unknown source")

// withoutTable returns Go's p256.go with a ScalarBaseMult that multiplies the generator as it does any other point, and
// without the function that prepares the table of the generator's multiples. Nothing uses the table then, and the linker
// leaves it out.
func withoutTable(version string, source []byte) ([]byte, error) {
	if !knownRelease(version) {
		return nil, fmt.Errorf("%w: this is %s, and known is %s", errUnknown, version, release)
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path.Base(curveFile), source, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnknown, err)
	}
	at := func(p token.Pos) int { return files.Position(p).Offset }
	functions := map[string]*ast.FuncDecl{}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			functions[functionName(f)] = f
		}
	}
	for name, known := range readFunctions {
		f := functions[name]
		if f == nil {
			return nil, fmt.Errorf("%w: %s has no function %s", errUnknown, version, name)
		}
		if sum := sha256.Sum256(source[at(f.Type.Func):at(f.End())]); hex.EncodeToString(sum[:]) != known {
			return nil, fmt.Errorf("%w: the function %s of %s has changed (%x)", errUnknown, name, version, sum)
		}
	}
	prepare, multiply := functions["init"], functions["P256Point.ScalarBaseMult"]
	edits := []edit{
		{at(prepare.Pos()), at(prepare.End()), ""},
		{at(multiply.Body.Pos()), at(multiply.Body.End()), baseMult},
	}
	used := packagesUsed(file, prepare.Body, multiply.Body)
	for _, i := range file.Imports {
		if name, _ := strconv.Unquote(i.Path.Value); i.Name == nil && !used[path.Base(name)] {
			edits = append(edits, edit{at(i.Pos()), at(i.Pos()), "_ "})
		}
	}
	return apply(source, edits), nil
}

// knownRelease reports whether a version such as go1.26.8 or go1.26.8 X:nogreenteagc is of the release.
func knownRelease(version string) bool {
	version, _, _ = strings.Cut(version, " ")
	return version == release || strings.HasPrefix(version, release+".")
}

// functionName returns a function's name, behind that of its receiver's type.
func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	receiver := f.Recv.List[0].Type
	if pointer, ok := receiver.(*ast.StarExpr); ok {
		receiver = pointer.X
	}
	if name, ok := receiver.(*ast.Ident); ok {
		return name.Name + "." + f.Name.Name
	}
	return f.Name.Name
}

// packagesUsed returns the names that stand before a dot anywhere but in some parts of a file. Those of packages are among
// them.
func packagesUsed(file *ast.File, except ...ast.Node) map[string]bool {
	used := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if slices.Contains(except, n) {
			return false
		}
		if s, ok := n.(*ast.SelectorExpr); ok {
			if name, ok := s.X.(*ast.Ident); ok {
				used[name.Name] = true
			}
		}
		return true
	})
	return used
}

// edit puts a text into the place of what is between two offsets.
type edit struct {
	from, to int
	text     string
}

// apply makes edits that do not overlap.
func apply(source []byte, edits []edit) []byte {
	slices.SortFunc(edits, func(a, b edit) int { return b.from - a.from })
	result := slices.Clone(source)
	for _, e := range edits {
		result = slices.Replace(result, e.from, e.to, []byte(e.text)...)
	}
	return result
}
