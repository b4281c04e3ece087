package git

import (
	"strings"
	"unicode/utf8"
)

// ZeroSHA stands for "no commit": the old value of a ref that is created, the new
// value of one that is deleted.
const ZeroSHA = "0000000000000000000000000000000000000000"

const (
	branchPrefix = "refs/heads/"
	tagPrefix    = "refs/tags/"
)

// The longest names that are taken. Git sets no limit; a file system does, at 255
// bytes a component and 4096 in all, and the rest of the ref's path needs room too.
const (
	maxRefName = 1024
	maxPath    = 4096
)

// IsSHA reports whether s is a full object name: 40 lower-case hexadecimal digits.
func IsSHA(s string) bool { return len(s) == len(ZeroSHA) && isHex(s) }

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// CheckRefName applies the rules of git check-ref-format to a short or full ref name
// ("main", "refs/heads/main"), and three of ours: UTF-8, at most 1024 bytes, and no
// leading "-" in the name or in what follows refs/heads/ or refs/tags/, so that no
// name can ever be read as an option.
func CheckRefName(name string) error {
	if why := refNameFault(name); why != "" {
		return invalid(nil, "Invalid reference name: %s", printable(name)).
			WithHint("invalid_ref_name", "A ref name "+why+".")
	}
	return nil
}

// CheckBranchName is CheckRefName for a branch or tag that is to be created: it also
// refuses what would be mistaken for something else later, a full name ("refs/heads/x"),
// "HEAD", or 40 hexadecimal digits.
func CheckBranchName(name string) error {
	if err := CheckRefName(name); err != nil {
		return err
	}
	if name == "HEAD" || IsSHA(name) || strings.HasPrefix(name, branchPrefix) ||
		strings.HasPrefix(name, tagPrefix) || strings.HasPrefix(name, "refs/remotes/") {
		return invalid(nil, "Invalid reference name: %s", printable(name)).
			WithHint("invalid_ref_name", "A branch or tag cannot be called HEAD, look like a commit or start with refs/heads/.")
	}
	return nil
}

func refNameFault(name string) string {
	switch {
	case name == "":
		return "cannot be empty"
	case len(name) > maxRefName:
		return "has at most 1024 bytes"
	case !utf8.ValidString(name):
		return "is UTF-8"
	case name == "@":
		return "cannot be @ alone"
	case strings.HasSuffix(name, "."):
		return "cannot end with a dot"
	case strings.Contains(name, ".."):
		return "cannot contain two dots in a row"
	case strings.Contains(name, "@{"):
		return "cannot contain @{"
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c == 0x7f || strings.IndexByte("~^:?*[\\", c) >= 0 {
			return `cannot contain spaces, control characters or any of ~^:?*[\`
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "":
			return "cannot start or end with a slash or contain two in a row"
		case strings.HasPrefix(part, "."):
			return "has no part that starts with a dot"
		case strings.HasSuffix(part, ".lock"):
			return "has no part that ends with .lock"
		}
	}
	short := strings.TrimPrefix(strings.TrimPrefix(name, branchPrefix), tagPrefix)
	if strings.HasPrefix(name, "-") || strings.HasPrefix(short, "-") {
		return "cannot start with a dash"
	}
	return ""
}

// CheckPath refuses file paths that are empty, absolute, climb ("..", "."), hold an
// empty part, NUL or a line break, or have a part that some file system takes for
// ".git". The texts are the ones GitLab gives for files of a commit.
func CheckPath(path string) error {
	if path == "" {
		return invalid(nil, "You must provide a file path")
	}
	if len(path) > maxPath || strings.ContainsAny(path, "\x00\n\r") {
		return invalid(nil, "invalid path: '%s'", printable(path))
	}
	for part := range strings.SplitSeq(path, "/") {
		switch {
		case part == "..":
			return invalid(nil, "Path cannot include directory traversal")
		case part == "" || part == "." || isDotGit(part):
			return invalid(nil, "invalid path: '%s'", printable(path))
		}
	}
	return nil
}

// isDotGit covers what NTFS and HFS+ take for ".git" as well: trailing dots and
// spaces, streams, the 8.3 name, and characters that do not show.
func isDotGit(part string) bool {
	part = strings.Map(func(r rune) rune {
		switch {
		case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f, r == 0xfeff:
			return -1
		}
		return r
	}, part)
	part, _, _ = strings.Cut(part, ":")
	part, _, _ = strings.Cut(part, `\`)
	part = strings.ToLower(strings.TrimRight(part, ". "))
	return part == ".git" || part == "git~1"
}

// printable keeps an untrusted name fit for an error text: one line of UTF-8, not endless.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(name, string(utf8.RuneError)))
	if r := []rune(name); len(r) > 100 {
		return string(r[:100]) + "..."
	}
	return name
}
