package git

import (
	"bufio"
	"errors"
	"strings"
	"testing"
)

func TestHeader(t *testing.T) {
	const sha = "0123456789012345678901234567890123456789"
	for _, c := range []struct {
		name, out string
		want      header
		err       string // "" none, "-" ErrNotExist, else part of a brokenError
	}{
		{"found", sha + " blob 12\n", header{sha, "blob", 12}, ""},
		{"missing", "refs/heads/x^{} missing\n", header{}, "-"},
		{"missing, with spaces", sha + ":a b missing\n", header{}, "-"},
		{"ambiguous", "error: short object ID 0123456 is ambiguous\nhint: The candidates are:\nhint:   0123456a blob\n0123456^{commit} missing\n", header{}, "-"},
		{"ambiguous, said otherwise", "0123456 ambiguous\n", header{}, "-"},
		{"submodule", sha + " submodule\n", header{}, "-"},
		{"not a commit", "error: 0123456^{commit}: expected commit type, but the object dereferences to tree type\n0123456^{commit} missing\n", header{}, "-"},
		{"damaged", "error: object file ./objects/01/23 is empty\nerror: more\n" + sha + "^{} missing\n", header{}, "error: object file ./objects/01/23 is empty"},
		{"damaged but found", "error: packfile x cannot be accessed\n" + sha + " tree 0\n", header{sha, "tree", 0}, ""},
		{"died complaining", "fatal: loose object is corrupt\n", header{}, "fatal: loose object is corrupt: EOF"},
		{"died", "", header{}, "EOF"},
		{"died in the line", sha + " bl", header{}, "EOF"},
		{"other words", "usage: git cat-file\n", header{}, "unexpected answer"},
		{"negative size", sha + " blob -1\n", header{}, "unexpected answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &catFile{out: bufio.NewReader(strings.NewReader(c.out))}
			got, err := p.header()
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			var broken *brokenError
			switch c.err {
			case "":
				if err != nil {
					t.Errorf("got %v, want no error", err)
				}
			case "-":
				if !errors.Is(err, ErrNotExist) {
					t.Errorf("got %v, want ErrNotExist", err)
				}
			default:
				if !errors.As(err, &broken) || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want the process blamed for %q", err, c.err)
				}
			}
		})
	}
}
