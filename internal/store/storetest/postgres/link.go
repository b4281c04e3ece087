package postgres

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync/atomic"
)

// A link is one connection through a Relay.
type link struct {
	relay           *Relay
	program, server net.Conn
	ready           chan struct{} // has one when the server has answered something to its end
	ended           chan struct{} // closed when the server has no more to say
	silent          atomic.Bool   // what the server says is lost

	// used in the goroutine of up
	statements map[string][]byte // by name
	bound      []byte            // what the next Execute carries out
}

func newLink(r *Relay, program, server net.Conn) *link {
	return &link{
		relay: r, program: program, server: server, statements: map[string][]byte{},
		ready: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// up passes on what the program says, in pieces that end where it waits for an answer.
func (l *link) up() {
	defer l.relay.forget(l)
	defer l.server.Close()
	defer l.program.Close()
	from := bufio.NewReader(l.program)
	if l.greet(from) != nil {
		return
	}
	var piece []byte
	var statements [][]byte
	for {
		kind, body, err := message(from)
		if err != nil {
			return
		}
		piece = appendMessage(piece, kind, body)
		if statement := l.statement(kind, body); statement != nil {
			statements = append(statements, statement)
		}
		switch kind {
		case 'S', 'Q', 'H', 'X', 'p': // Sync, Query, Flush, Terminate, password
		default:
			continue
		}
		if cut := l.relay.take(statements); cut != nil {
			l.cut(cut, piece)
			return
		}
		if _, err := l.server.Write(piece); err != nil {
			return
		}
		piece, statements = piece[:0], nil
	}
}

// What a program asks for before it says who it is.
const (
	askTLS    = 80877103
	askGSSAPI = 80877104
)

// greet passes on who the program is. Encryption is refused: what goes by here must be
// understood.
func (l *link) greet(from *bufio.Reader) error {
	for {
		var size [4]byte
		if _, err := io.ReadFull(from, size[:]); err != nil {
			return err
		}
		body := make([]byte, max(binary.BigEndian.Uint32(size[:]), 8)-4)
		if _, err := io.ReadFull(from, body); err != nil {
			return err
		}
		if code := binary.BigEndian.Uint32(body); code == askTLS || code == askGSSAPI {
			if _, err := l.program.Write([]byte{'N'}); err != nil {
				return err
			}
			continue
		}
		_, err := l.server.Write(append(size[:], body...))
		return err
	}
}

// statement gives the text of the statement that a message has carried out, nil for
// most messages.
func (l *link) statement(kind byte, body []byte) []byte {
	switch kind {
	case 'Q': // Query: a text
		return body
	case 'P': // Parse: a name and a text
		name, rest, _ := bytes.Cut(body, []byte{0})
		text, _, _ := bytes.Cut(rest, []byte{0})
		l.statements[string(name)] = bytes.Clone(text)
	case 'B': // Bind: a name that does not matter, and that of the statement
		_, rest, _ := bytes.Cut(body, []byte{0})
		name, _, _ := bytes.Cut(rest, []byte{0})
		l.bound = l.statements[string(name)]
	case 'E': // Execute
		return l.bound
	}
	return nil
}

// down passes on what the server says.
func (l *link) down() {
	defer close(l.ended)
	defer l.program.Close()
	from := bufio.NewReader(l.server)
	for {
		kind, body, err := message(from)
		if err != nil {
			return
		}
		if !l.silent.Load() {
			if _, err := l.program.Write(appendMessage(nil, kind, body)); err != nil {
				return
			}
		} else if kind == 'Z' { // ReadyForQuery: what was asked is carried out
			l.ready <- struct{}{}
			return
		}
	}
}

// cut loses all connections around a piece.
func (l *link) cut(cut *Cut, piece []byte) {
	defer close(cut.over)
	l.silent.Store(true)
	if cut.moment != Unanswered {
		l.relay.lose(l)
		close(cut.lost)
	}
	if cut.moment == InFlight {
		select {
		case <-cut.released:
		case <-l.relay.done:
			return
		}
	}
	if cut.moment != Unsent {
		cut.err = l.carryOut(piece)
	}
	if cut.moment == Unanswered {
		l.relay.lose(nil)
		close(cut.lost)
	}
}

// carryOut sends a piece and waits until the server has done what it says.
func (l *link) carryOut(piece []byte) error {
	if _, err := l.server.Write(piece); err != nil {
		return fmt.Errorf("send a statement: %w", err)
	}
	select {
	case <-l.ready:
		return nil
	case <-l.ended:
		select {
		case <-l.ready:
			return nil
		default:
			return io.ErrUnexpectedEOF
		}
	}
}

// message reads a message after the greeting.
func message(from *bufio.Reader) (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return 0, nil, err
	}
	body = make([]byte, max(binary.BigEndian.Uint32(head[1:]), 4)-4)
	_, err = io.ReadFull(from, body)
	return head[0], body, err
}

func appendMessage(to []byte, kind byte, body []byte) []byte {
	to = binary.BigEndian.AppendUint32(append(to, kind), uint32(len(body)+4))
	return append(to, body...)
}
