package git

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseCommit(t *testing.T) {
	zone := func(seconds int) *time.Location { return time.FixedZone("", seconds) }
	for _, c := range []struct {
		name, raw string
		want      Commit
	}{
		{
			"merge with signature",
			"tree t\nparent p1\nparent p2\nauthor A U Thor <a@x> 1700000000 -0330\ncommitter C <c@x> 1700000001 +0000\n" +
				"gpgsig -----BEGIN PGP SIGNATURE-----\n \n author fake <f@x> 1 +0000\n -----END PGP SIGNATURE-----\n\nMerge\r\n\nauthor x <y> 1\n",
			Commit{SHA: "s", Tree: "t", Parents: []string{"p1", "p2"}, Title: "Merge", Message: "Merge\r\n\nauthor x <y> 1\n",
				AuthorName: "A U Thor", AuthorEmail: "a@x", AuthoredAt: time.Unix(1700000000, 0).In(zone(-12600)),
				CommitterName: "C", CommitterEmail: "c@x", CommittedAt: time.Unix(1700000001, 0).UTC()},
		},
		{
			"latin-1",
			"tree t\nauthor J\xfcrgen <j@x> 1 +0100\ncommitter C <c@x> 1 +0100\nencoding ISO-8859-1\n\nGr\xfc\xdfe\n",
			Commit{SHA: "s", Tree: "t", Title: "Grüße", Message: "Grüße\n",
				AuthorName: "Jürgen", AuthorEmail: "j@x", AuthoredAt: time.Unix(1, 0).In(zone(3600)),
				CommitterName: "C", CommitterEmail: "c@x", CommittedAt: time.Unix(1, 0).In(zone(3600))},
		},
		{
			"broken dates, foreign bytes, no message",
			"tree t\nauthor \xff <> 99999999999999 +9999\ncommitter nobody\n\n",
			Commit{SHA: "s", Tree: "t", AuthorName: "\uFFFD", AuthoredAt: time.Unix(latest, 0).UTC(),
				CommitterName: "nobody", CommittedAt: time.Unix(0, 0).UTC()},
		},
		{
			"email with angle brackets, empty zone",
			"tree t\nauthor A <a>b> 5\ncommitter C <c@x> x +0100\n\nm",
			Commit{SHA: "s", Tree: "t", Title: "m", Message: "m", AuthorName: "A", AuthorEmail: "a>b", AuthoredAt: time.Unix(5, 0).UTC(),
				CommitterName: "C", CommitterEmail: "c@x", CommittedAt: time.Unix(0, 0).In(zone(3600))},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := parseCommit("s", []byte(c.raw))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, at := range []time.Time{got.AuthoredAt, got.CommittedAt} {
				if _, err := at.MarshalJSON(); err != nil {
					t.Errorf("%v has no JSON form: %v", at, err)
				}
			}
		})
	}
}

func TestParseTagDropsSignature(t *testing.T) {
	got := parseTag(Tag{Name: "v"}, []byte("object o\ntype commit\ntag v\ntagger T <t@x> 7 +0000\n\nnotes\n-----BEGIN PGP SIGNATURE-----\nx\n"))
	want := Tag{Name: "v", Annotated: true, Message: "notes\n", TaggerName: "T", TaggerEmail: "t@x", TaggedAt: time.Unix(7, 0).UTC()}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSignature(t *testing.T) {
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.FixedZone("", -5*3600))
	for _, c := range []struct{ name, email, want string }{
		{"Ada", "a@x", "Ada <a@x> 1704182645 -0500"},
		{"A\nuthor <evil> 0", "a@x>\nparent 1", "Author evil 0 <a@xparent 1> 1704182645 -0500"},
		{"", "a@x", "a@x <a@x> 1704182645 -0500"},
		{"", "", "unknown <> 1704182645 -0500"},
	} {
		if got := signature(c.name, c.email, at); got != c.want {
			t.Errorf("%q %q: got %q, want %q", c.name, c.email, got, c.want)
		}
	}
}
