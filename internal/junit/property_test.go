package junit_test

import (
	"bytes"
	"encoding/xml"
	"math"
	"strconv"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/lanyard-ci/lanyard/internal/junit"
)

// TestRoundTrip writes cases as XML and holds that they are read as they were.
func TestRoundTrip(t *testing.T) {
	text := rapid.StringMatching(`[a-zä<>&"' .]{0,12}`)
	rapid.Check(t, func(t *rapid.T) {
		want, wantTime := make(map[junit.Case]int), 0.0
		type end struct {
			Message string `xml:"message,attr"`
			Text    string `xml:",chardata"`
		}
		type testcase struct {
			Name      string `xml:"name,attr"`
			Classname string `xml:"classname,attr"`
			Time      string `xml:"time,attr"`
			Failure   *end   `xml:"failure"`
			Error     *end   `xml:"error"`
			Skipped   *end   `xml:"skipped"`
		}
		var file struct {
			XMLName xml.Name   `xml:"testsuite"`
			Cases   []testcase `xml:"testcase"`
		}
		for i := range rapid.IntRange(0, 20).Draw(t, "cases") {
			c := junit.Case{
				Status: rapid.SampledFrom(junit.Statuses).Draw(t, "status"), Name: strconv.Itoa(i) + text.Draw(t, "name"),
				Classname: text.Draw(t, "class"), Time: float64(rapid.IntRange(0, 1000).Draw(t, "time")) / 8,
			}
			e := &end{Message: text.Draw(t, "message"), Text: "." + text.Draw(t, "text")}
			written := testcase{Name: c.Name, Classname: c.Classname, Time: strconv.FormatFloat(c.Time, 'g', -1, 64)}
			switch c.Status {
			case junit.Failed:
				written.Failure = e
			case junit.Error:
				written.Error = e
			case junit.Skipped:
				written.Skipped = e
			case junit.Success:
				e = &end{}
			}
			c.Message, c.Output = e.Message, e.Text
			file.Cases = append(file.Cases, written)
			want[c]++
			wantTime += c.Time
		}
		data, err := xml.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		var suite junit.Suite
		if _, err := suite.Read(bytes.NewReader(data), 0, plenty); err != nil || suite.Error != "" || suite.Time != wantTime {
			t.Fatalf("got %v, %q, %v seconds, want %v, of %s", err, suite.Error, suite.Time, wantTime, data)
		}
		for _, c := range suite.Cases() {
			want[c]--
		}
		for c, n := range want {
			if n != 0 {
				t.Fatalf("%d of %+v in %s, got %+v", n, c, data, suite.Cases())
			}
		}
	})
}

// FuzzRead holds what is true of any upload.
func FuzzRead(f *testing.F) {
	f.Add([]byte(report(3)))
	f.Add(pack(f, report(2), report(1)))
	f.Add([]byte("<?xml version='1.0' encoding='latin1'?><testsuite name='\xe4'><testcase time='-1e9'/>"))
	f.Add([]byte(`<testsuite><testcase name="a"><skipped/><failure/><system-out>[[ATTACHMENT|x]]</system-out></testcase></testsuite>`))
	f.Add([]byte{0x1f, 0x8b})
	limits := junit.Limits{Bytes: 1 << 16, Cases: 100}
	f.Fuzz(func(t *testing.T, data []byte) {
		var suite junit.Suite
		size, err := suite.Read(bytes.NewReader(data), 1, limits)
		if err != nil || size < 0 || size > limits.Bytes || !utf8.ValidString(suite.Error) {
			t.Errorf("got %d bytes, %v, error %q", size, err, suite.Error)
		}
		counted, cases := 0, suite.Cases()
		for _, status := range junit.Statuses {
			counted += suite.Count(status)
		}
		if counted != suite.Total() || counted != len(cases) || counted > limits.Cases || math.IsNaN(suite.Time) || math.IsInf(suite.Time, 0) {
			t.Errorf("got %d counted, %d in all, %d cases, %v seconds", counted, suite.Total(), len(cases), suite.Time)
		}
		for _, c := range cases {
			if !utf8.ValidString(c.Name+c.Classname+c.File+c.Output+c.Message+c.Attachment+c.Suite) || c.Origin != 1 {
				t.Errorf("got %+v", c)
			}
		}
	})
}
