package ci

// A Build says which build of the program this is.
type Build struct {
	Version  string
	Commit   string // empty when built outside a checkout
	Go       string
	Platform string // "linux/amd64"
	Database string // the database library with its version
}
