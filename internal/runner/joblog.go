package runner

import (
	"fmt"
	"io"
	"time"
)

// joblog writes the runner's own lines into a job's log, in gitlab-runner's words and colours, since log viewers and
// people know them.
type joblog struct {
	out      io.Writer
	sections bool // the server folds section_start and section_end
	now      func() time.Time
}

const (
	green  = "\x1b[32;1m"
	red    = "\x1b[31;1m"
	yellow = "\x1b[0;33m"
	cyan   = "\x1b[36;1m"
	reset  = "\x1b[0;m"
	erase  = "\r\x1b[0K"
)

func (l *joblog) print(format string, args ...any) { fmt.Fprintf(l.out, format+"\n", args...) }

func (l *joblog) step(format string, args ...any) {
	fmt.Fprintf(l.out, green+"%s"+reset+"\n", fmt.Sprintf(format, args...))
}

func (l *joblog) warn(format string, args ...any) {
	fmt.Fprintf(l.out, yellow+"WARNING: %s"+reset+"\n", fmt.Sprintf(format, args...))
}

func (l *joblog) fail(format string, args ...any) {
	fmt.Fprintf(l.out, red+"ERROR: %s\n"+reset+"\n", fmt.Sprintf(format, args...))
}

// section runs a stage under a heading that viewers can fold.
func (l *joblog) section(name, title string, stage func() error) error {
	if l.sections {
		fmt.Fprintf(l.out, "section_start:%d:%s%s", l.now().Unix(), name, erase)
	}
	fmt.Fprintf(l.out, "\x1b[0K"+cyan+"%s"+reset+reset+"\n", title)
	err := stage()
	if l.sections {
		fmt.Fprintf(l.out, "section_end:%d:%s%s", l.now().Unix(), name, erase)
	}
	return err
}
