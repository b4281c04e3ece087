package junit_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-ci/lanyard/internal/junit"
)

// pack makes an upload of files, as runners send them.
func pack(t testing.TB, files ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	for _, file := range files {
		w := gzip.NewWriter(&buf)
		if _, err := io.WriteString(w, file); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

var plenty = junit.Limits{Bytes: 1 << 20, Cases: 1000}

// read reads an upload of files.
func read(t testing.TB, files ...string) *junit.Suite {
	t.Helper()
	suite := &junit.Suite{Name: "job"}
	if _, err := suite.Read(bytes.NewReader(pack(t, files...)), 7, plenty); err != nil {
		t.Fatal(err)
	}
	return suite
}

// TestCases holds what each form of a case comes to.
func TestCases(t *testing.T) {
	for _, c := range []struct {
		name, xml string
		want      junit.Case
	}{
		{"success", `<testcase classname="k" name="n" file="f.rb" time="1.5"/>`,
			junit.Case{Status: junit.Success, Name: "n", Classname: "k", File: "f.rb", Time: 1.5}},
		{"success tells nothing", `<testcase name="n"><system-out>out</system-out></testcase>`, junit.Case{Status: junit.Success, Name: "n"}},
		{"failure with a text", `<testcase name="n"><failure message="m" type="T">the text</failure></testcase>`,
			junit.Case{Status: junit.Failed, Name: "n", Output: "the text", Message: "m"}},
		{"failure with a message", "<testcase name=\"n\"><failure message=\"a &lt; b\">\n</failure></testcase>",
			junit.Case{Status: junit.Failed, Name: "n", Output: "a < b", Message: "a < b"}},
		{"failure with nothing", `<testcase name="n"><failure/></testcase>`, junit.Case{Status: junit.Failed, Name: "n"}},
		{"two failures", `<testcase name="n"><failure>one</failure><failure message="m">two</failure></testcase>`,
			junit.Case{Status: junit.Failed, Name: "n", Output: "one\n\ntwo", Message: "m"}},
		{"failure with output", `<testcase name="n"><failure>text</failure><system-out>o [[ATTACHMENT|a/b.png]]</system-out><system-err>e</system-err></testcase>`,
			junit.Case{Status: junit.Failed, Name: "n", Output: "text\n\nSystem Out:\n\no [[ATTACHMENT|a/b.png]]\n\nSystem Err:\n\ne", Attachment: "a/b.png"}},
		{"error", `<testcase name="n"><error message="m"><![CDATA[<raw> & more]]></error></testcase>`,
			junit.Case{Status: junit.Error, Name: "n", Output: "<raw> & more", Message: "m"}},
		{"failure before error", `<testcase name="n"><error>e</error><failure>f</failure><skipped/></testcase>`,
			junit.Case{Status: junit.Failed, Name: "n", Output: "f"}},
		{"skipped", `<testcase name="n"><skipped message="later"/><system-out>o</system-out></testcase>`,
			junit.Case{Status: junit.Skipped, Name: "n", Output: "later", Message: "later"}},
		{"elements of no meaning", `<properties><testcase name="x"/></properties><testcase name="n"><x><failure/></x></testcase>`,
			junit.Case{Status: junit.Success, Name: "n"}},
		{"empty", `<testcase/><testcase name="n"/><testcase></testcase>`, junit.Case{Status: junit.Success, Name: "n"}},
		{"without a name", `<testcase><failure>x</failure></testcase>`, junit.Case{Status: junit.Failed, Output: "x"}},
		{"time that is none", `<testcase name="n" time="soon"/>`, junit.Case{Status: junit.Success, Name: "n"}},
		{"time with a comma", `<testcase name="n" time="1,234.5"/>`, junit.Case{Status: junit.Success, Name: "n", Time: 1}},
		{"time with underscores", `<testcase name="n" time=" 1_000.5e1s"/>`, junit.Case{Status: junit.Success, Name: "n", Time: 10005}},
		{"endless time", `<testcase name="n" time="Inf"/>`, junit.Case{Status: junit.Success, Name: "n"}},
		{"huge time", `<testcase name="n" time="1e300"/>`, junit.Case{Status: junit.Success, Name: "n", Time: 1e12}},
	} {
		t.Run(c.name, func(t *testing.T) {
			suite := read(t, `<?xml version="1.0"?><testsuite name="s">`+c.xml+`</testsuite>`)
			c.want.Suite, c.want.Origin = "s", 7
			if diff := cmp.Diff([]junit.Case{c.want}, suite.Cases()); diff != "" || suite.Error != "" {
				t.Errorf("got error %q and, with -want +got,\n%s", suite.Error, diff)
			}
		})
	}
}

// TestForms holds which cases of a file count, by suite and name.
func TestForms(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
		want  string
	}{
		{"suite", []string{`<testsuite name="a"><testcase name="1"/></testsuite>`}, "a.1"},
		{"suites", []string{`<testsuites name="all"><testcase name="0"/><testsuite name="a"><testcase name="1"/></testsuite><testsuite><testcase name="2"/></testsuite></testsuites>`}, "all.0 a.1 .2"},
		{"nested", []string{`<testsuites><testsuite name="a"><testsuite name="b"><testcase name="1"/></testsuite><testcase name="2"/></testsuite></testsuites>`}, "b.1 a.2"},
		{"suites in a suite", []string{`<testsuite><testsuites><testcase name="1"/></testsuites></testsuite>`}, ""},
		{"case at the root", []string{`<testcase name="1"/>`}, ""},
		{"another root", []string{`<html><testsuite><testcase name="1"/></testsuite></html>`}, ""},
		{"several files", []string{`<testsuite name="a"><testcase name="1"/></testsuite>`, `<testsuite name="b"><testcase name="1"/></testsuite>`}, "a.1 b.1"},
		{"same case again", []string{`<testsuite name="a"><testcase name="1"/><testcase name="2"/></testsuite>`, `<testsuite name="a"><testcase name="1"/></testsuite>`}, "a.1 a.2"},
		{"same name, other class", []string{`<testsuite name="a"><testcase name="1" classname="x"/><testcase name="1" classname="y"/></testsuite>`}, "a.1 a.1"},
		{"order", []string{`<testsuite name="a"><testcase name="1"><skipped/></testcase><testcase name="2"/><testcase name="3" time="2"/><testcase name="4"><failure/></testcase><testcase name="5"><error/></testcase></testsuite>`}, "a.5 a.4 a.3 a.2 a.1"},
		{"nothing", []string{""}, ""},
		{"no files", nil, ""},
		{"byte order mark", []string{"\ufeff" + `<testsuite name="a"><testcase name="1"/></testsuite>`}, "a.1"},
		{"document type", []string{`<!DOCTYPE x [<!ENTITY a "b">]><testsuite name="a"><testcase name="1"/></testsuite>`}, "a.1"},
		{"namespace", []string{`<j:testsuite xmlns:j="urn:j" name="a"><j:testcase name="1"/></j:testsuite>`}, "a.1"},
		{"Latin 1", []string{"<?xml version='1.0' encoding='ISO-8859-1'?><testsuite name='\xe4'><testcase name='\x80'/></testsuite>"}, "ä.€"},
		{"said to be UTF-16", []string{`<?xml version="1.0" encoding="utf-16"?><testsuite name="ä"><testcase name="1"/></testsuite>`}, "ä.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			suite := read(t, c.files...)
			var names []string
			for _, test := range suite.Cases() {
				names = append(names, test.Suite+"."+test.Name)
			}
			if got := strings.Join(names, " "); got != c.want || suite.Error != "" || suite.Total() != len(names) {
				t.Errorf("got %q of %d, error %q, want %q", got, suite.Total(), suite.Error, c.want)
			}
		})
	}
}

// TestTime holds that the time of a case counts though another one takes its place.
func TestTime(t *testing.T) {
	suite := read(t, `<testsuite><testcase name="1" time="1"/><testcase name="1" time="2"/></testsuite>`)
	if suite.Time != 3 || suite.Total() != 1 || suite.Cases()[0].Time != 2 {
		t.Errorf("got %v seconds of %d cases, the first %v", suite.Time, suite.Total(), suite.Cases())
	}
}

// TestBroken holds what suites say of uploads that cannot be read.
func TestBroken(t *testing.T) {
	good := `<testsuite><testcase name="1" time="1"/></testsuite>`
	packed := pack(t, good)
	for _, c := range []struct {
		name string
		body []byte
		want string
	}{
		{"text", pack(t, "no report"), "JUnit XML parsing failed: 1:10: FATAL: Start tag expected, '<' not found"},
		{"blank", pack(t, " \n"), "JUnit XML parsing failed: 2:1: FATAL: Document is empty"},
		{"cut off", pack(t, "<testsuites>\n<testsuite>\n<testcase"), "JUnit XML parsing failed: 3:10: FATAL: Premature end of data in tag testsuite line 2"},
		{"not closed", pack(t, "<testsuite>\n"), "JUnit XML parsing failed: 2:1: FATAL: Premature end of data in tag testsuite line 1"},
		{"crossed", pack(t, "<testsuite>\n<a></b>"), "JUnit XML parsing failed: 2:8: FATAL: Opening and ending tag mismatch: a line 2 and b"},
		{"two roots", pack(t, good+good), "JUnit XML parsing failed: 1:64: FATAL: Extra content at the end of the document"},
		{"end of nothing", pack(t, good+"</a>"), "JUnit XML parsing failed: 1:57: FATAL: Extra content at the end of the document"},
		{"text behind", pack(t, good+"x"), "JUnit XML parsing failed: 1:54: FATAL: Extra content at the end of the document"},
		{"unknown entity", pack(t, `<!DOCTYPE x [<!ENTITY a "b">]><testsuite name="&a;"/>`), "JUnit XML parsing failed: 1:51: FATAL: invalid character entity &a;"},
		{"control character", pack(t, "<testsuite>\x1b</testsuite>"), "JUnit XML parsing failed: 1:13: FATAL: illegal character code U+001B"},
		{"too deep", pack(t, strings.Repeat("<testsuite>", 300)), "JUnit XML parsing failed: 1:2828: FATAL: Excessive depth in document: 256"},
		{"encoding", pack(t, `<?xml version="1.0" encoding="klingon"?><testsuite/>`), `JUnit data parsing failed: xml: opening charset "klingon": unsupported encoding klingon`},
		{"long name", pack(t, "<"+strings.Repeat("x", 1000)+">"), "JUnit XML parsing failed: 1:1003: FATAL: Premature end of data in tag " + strings.Repeat("x", 456) + "…"},
		{"no UTF-8", pack(t, "<testsuite name='&\xa3'/>"), "JUnit XML parsing failed: 1:20: FATAL: invalid character entity &\ufffd (no semicolon)"},
		{"second file", pack(t, good, "x"), "JUnit XML parsing failed: 1:2: FATAL: Start tag expected, '<' not found"},
		{"first file", pack(t, "x", good), "JUnit XML parsing failed: 1:2: FATAL: Start tag expected, '<' not found"},
		{"no gzip behind", append(bytes.Clone(packed), "x"...), "JUnit data parsing failed: unexpected EOF"},
		{"checksum", append(bytes.Clone(packed[:len(packed)-8]), make([]byte, 8)...), "JUnit data parsing failed: gzip: invalid checksum"},
		{"not packed", []byte("x" + good), "JUnit XML parsing failed: 1:2: FATAL: Start tag expected, '<' not found"},
		{"too many cases", pack(t, "<testsuite>"+strings.Repeat("<testcase name='x'/>", 1001)+"</testsuite>"), "JUnit data parsing failed: number of test cases exceeded the limit of 1000"},
		{"too big", pack(t, good, good+strings.Repeat(" ", 1<<20)), "JUnit data parsing failed: size exceeded the limit of 1048576 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			suite := &junit.Suite{}
			if _, err := suite.Read(bytes.NewReader(c.body), 0, plenty); err != nil {
				t.Fatal(err)
			}
			if suite.Error != c.want {
				t.Errorf("got %q, want %q", suite.Error, c.want)
			}
			if suite.Total() != 0 || suite.Count(junit.Success) != 0 || len(suite.Cases()) != 0 {
				t.Errorf("a broken suite counts %d, %d, %v", suite.Total(), suite.Count(junit.Success), suite.Cases())
			}
		})
	}
}

// TestReaderFails holds that an error of the reader comes back as it is.
func TestReaderFails(t *testing.T) {
	broken := errors.New("disk on fire")
	body := pack(t, `<testsuite><testcase name="1"/></testsuite>`)
	for n := range len(body) {
		r := io.MultiReader(bytes.NewReader(body[:n]), iotest.ErrReader(broken))
		if _, err := (&junit.Suite{}).Read(r, 0, plenty); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: got %v", n, err)
		}
	}
}

// TestSize holds that the unpacked bytes are counted, whatever the report.
func TestSize(t *testing.T) {
	for _, n := range []int{0, 1, 4096, 1 << 20, 1<<20 + 1, 3 << 20} {
		size, err := (&junit.Suite{}).Read(bytes.NewReader(pack(t, strings.Repeat(" ", n))), 0, plenty)
		if want := int64(min(n, 1<<20)); err != nil || size != want {
			t.Errorf("%d bytes: got %d, %v, want %d", n, size, err, want)
		}
	}
}

// report makes a file with n cases, one of ten failed.
func report(n int) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites><testsuite name=\"bench\">\n")
	for i := range n {
		fmt.Fprintf(&b, `<testcase classname="spec.models.user_spec" name="User number %d can sign in &amp; out" file="spec/models/user_spec.rb" time="0.%06d">`, i, i)
		if i%10 == 0 {
			b.WriteString(`<failure message="expected true" type="RSpec::Expectations::ExpectationNotMetError">` + strings.Repeat("Failure/Error: expect(user).to be_signed_in\n", 5) + `</failure>`)
		}
		b.WriteString("</testcase>\n")
	}
	b.WriteString("</testsuite></testsuites>\n")
	return b.String()
}

func BenchmarkRead10000(b *testing.B) {
	file := report(10_000)
	body := pack(b, file)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		var suite junit.Suite
		if _, err := suite.Read(bytes.NewReader(body), 0, junit.Limits{Bytes: 1 << 30, Cases: 1 << 20}); err != nil || suite.Total() != 10_000 {
			b.Fatalf("got %d cases, %q, %v", suite.Total(), suite.Error, err)
		}
	}
}
