// Package tree reads YAML files into the source tree of the compiler: values
// that know where they stand, as GitLab's Ruby reads them.
//
// There are three nouns: a Node is a value, a Pos is its place, an Error is a
// file that cannot be read, in GitLab's words. Parse turns a text into
// documents, Merge lays one configuration upon another, ResolveReferences puts
// the targets of !reference in place.
//
// The library go.yaml.in/yaml/v4 finds the structure of the text; what the
// values mean is decided here, because Ruby's Psych is YAML 1.1 with habits of
// its own:
//
//   - yes, no, on and off are booleans, 0755 is octal, 1_000 and 1,000 are one
//     thousand, 1:30 is 5400, 1e3 and 0o10 are strings; a date is an error;
//   - all keys become strings: on: is "true", 1: is "1";
//   - of equal keys the last one wins, at the place of the first;
//   - a merge key takes effect where it stands, so it also overrides what is
//     above it; in a list of merges the first map wins;
//   - tags that mean nothing to Psych are passed over, those that would load a
//     Ruby class are errors, and !reference is kept as a node.
//
// The tests compare with tables that Psych itself has filled. Where the
// library takes more than libyaml does (long simple keys, tabs after a dash),
// this package takes it too. Text that follows a document without a marker
// between them, as after a first line that is indented too far, is an error
// with its place, although Psych drops it in silence: nobody means that.
//
// The package reads no file and knows nothing of keywords.
package tree
