package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func (s *session) checkStatus(ts *testscript.TestScript, args []string) {
	if len(args) != 1 || strconv.Itoa(s.answer.status) != args[0] {
		ts.Fatalf("got status %d, want %s; body %s", s.answer.status, strings.Join(args, " "), s.answer.body)
	}
}

// checkJSON compares a value of the answer, or keeps it.
func (s *session) checkJSON(ts *testscript.TestScript, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: json PATH WANT")
	}
	if problem := s.compareJSON(ts, args[0], args[1:]); problem != "" {
		ts.Fatalf("%s in %s", problem, s.answer.body)
	}
}

// compareJSON says what is wrong with the value at a path, "" for nothing.
func (s *session) compareJSON(ts *testscript.TestScript, path string, want []string) string {
	decoder := json.NewDecoder(bytes.NewReader(s.answer.body))
	decoder.UseNumber()
	var root any
	if err := decoder.Decode(&root); err != nil {
		return fmt.Sprintf("no JSON (%v)", err)
	}
	got, there := find(root, path)
	if want[0] == ":absent" {
		if there {
			return fmt.Sprintf("%s is %s, want it absent", path, text(got))
		}
		return ""
	}
	if !there {
		return fmt.Sprintf("%s is not there", path)
	}
	if want[0] == ":len" && len(want) == 2 {
		if n := length(got); strconv.Itoa(n) != want[1] {
			return fmt.Sprintf("%s has length %d, want %s", path, n, want[1])
		}
		return ""
	}
	return compare(ts, path, got, os.Expand(want[0], ts.Getenv))
}

var keep = regexp.MustCompile(`^([A-Z][A-Z0-9_]*)=$`)

// compare compares one value with what is wanted.
func compare(ts *testscript.TestScript, path string, got any, want string) string {
	switch kept := keep.FindStringSubmatch(want); {
	case kept != nil:
		ts.Setenv(kept[1], plainText(got))
		return ""
	case strings.HasPrefix(want, ":"):
		if !hasKind(got, want[1:]) {
			return fmt.Sprintf("%s is %s, want %s", path, text(got), want)
		}
		return ""
	case strings.HasPrefix(want, "="):
		if got != want[1:] {
			return fmt.Sprintf("%s is %s, want %s", path, text(got), text(want[1:]))
		}
		return ""
	case strings.HasPrefix(want, "~"):
		if value, ok := got.(string); !ok || !matches(ts, want[1:], value) {
			return fmt.Sprintf("%s is %s, want a text like %s", path, text(got), want[1:])
		}
		return ""
	}
	var value any
	decoder := json.NewDecoder(strings.NewReader(want))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil || decoder.More() {
		value = want
	}
	if !reflect.DeepEqual(got, value) {
		return fmt.Sprintf("%s is %s, want %s", path, text(got), text(value))
	}
	return ""
}

// hasKind reports whether a value is of the kind that a script asks for.
func hasKind(v any, kind string) bool {
	switch v := v.(type) {
	case string:
		_, err := time.Parse("2006-01-02T15:04:05.000Z", v)
		return kind == "string" || kind == "time" && err == nil
	case json.Number:
		_, isInt := new(big.Int).SetString(v.String(), 10)
		return kind == "number" || kind == "int" && isInt
	case bool:
		return kind == "bool"
	case map[string]any:
		return kind == "object"
	case []any:
		return kind == "array"
	}
	return kind == "null"
}

// find follows a path like .a.b[0].c; "." is the whole.
func find(v any, path string) (any, bool) {
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[step]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func length(v any) int {
	switch v := v.(type) {
	case []any:
		return len(v)
	case map[string]any:
		return len(v)
	case string:
		return len(v)
	}
	return -1
}

func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

// plainText is what a script keeps of a value: a text without quotes.
func plainText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return text(v)
}

// checkKeys compares the keys of an object with all that are wanted, in order.
func (s *session) checkKeys(ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: keys PATH NAME…")
	}
	var raw json.RawMessage = s.answer.body
	for _, step := range strings.FieldsFunc(args[0], func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		raw = child(ts, raw, step)
	}
	if got := orderedKeys(ts, raw); !slices.Equal(got, args[1:]) {
		ts.Fatalf("%s has the keys\n%s, want\n%s", args[0], strings.Join(got, " "), strings.Join(args[1:], " "))
	}
}

// child is a member of an object or an element of a list, as it stands there.
func child(ts *testscript.TestScript, raw json.RawMessage, step string) json.RawMessage {
	if i, err := strconv.Atoi(step); err == nil {
		var list []json.RawMessage
		ts.Check(json.Unmarshal(raw, &list))
		if i >= len(list) {
			ts.Fatalf("there are only %d elements in %s", len(list), raw)
		}
		return list[i]
	}
	var object map[string]json.RawMessage
	ts.Check(json.Unmarshal(raw, &object))
	if object[step] == nil {
		ts.Fatalf("there is no %s in %s", step, raw)
	}
	return object[step]
}

// orderedKeys lists the keys of an object as they stand there.
func orderedKeys(ts *testscript.TestScript, raw json.RawMessage) []string {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		ts.Fatalf("no object: %s", raw)
	}
	var keys []string
	for decoder.More() {
		key, err := decoder.Token()
		ts.Check(err)
		var value json.RawMessage
		ts.Check(decoder.Decode(&value))
		keys = append(keys, fmt.Sprint(key))
	}
	return keys
}

// checkHeader compares a header of the answer, or keeps it.
func (s *session) checkHeader(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: header NAME WANT")
	}
	values, there := s.answer.header[http.CanonicalHeaderKey(args[0])]
	got, want := strings.Join(values, ", "), args[1]
	switch kept := keep.FindStringSubmatch(want); {
	case want == ":absent":
		if there {
			ts.Fatalf("header %s is %q, want it absent", args[0], got)
		}
	case !there:
		ts.Fatalf("header %s is not there; there are %v", args[0], s.answer.header)
	case kept != nil:
		ts.Setenv(kept[1], got)
	case strings.HasPrefix(want, "~"):
		if !matches(ts, want[1:], got) {
			ts.Fatalf("header %s is %q, want it like %s", args[0], got, want[1:])
		}
	case got != want:
		ts.Fatalf("header %s is %q, want %q", args[0], got, want)
	}
}

// checkBody compares the whole body.
func checkBody(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: body TEXT or body ~REGEXP")
	}
	body := string(sessionOf(ts).answer.body)
	same := body == args[0]
	if pattern, ok := strings.CutPrefix(args[0], "~"); ok {
		same = matches(ts, pattern, body)
	}
	if same == neg {
		ts.Fatalf("body is\n%s\nwant\n%s (%v)", body, args[0], !neg)
	}
}

func matches(ts *testscript.TestScript, pattern, text string) bool {
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	return re.MatchString(text)
}

// until repeats a request until a value is as wanted.
func (s *session) until(ts *testscript.TestScript, args []string) {
	if len(args) < 4 {
		ts.Fatalf("usage: until PATH WANT GET PATH [ARG…]")
	}
	draft := s.parse(ts, args[2], args[3:])
	deadline, problem := time.Now().Add(time.Minute), ""
	for time.Now().Before(deadline) {
		s.send(ts, draft)
		if problem = s.compareJSON(ts, args[0], args[1:2]); problem == "" {
			ts.Logf("[%d] %s", s.answer.status, s.answer.body)
			return
		}
		pause()
	}
	ts.Fatalf("did not come in a minute: %s in [%d] %s", problem, s.answer.status, s.answer.body)
}

// pause lets the server get on between two questions.
func pause() { time.Sleep(20 * time.Millisecond) }
