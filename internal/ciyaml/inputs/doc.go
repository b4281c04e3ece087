// Package inputs is spec:inputs and the blocks $[[ … ]] that use them.
//
// A file may begin with a header, a document whose only key is spec. ParseSpec
// reads it into a Spec; (*Spec).Resolve checks the values that an include or a
// caller gives and fills in the defaults; Values.Interpolate puts them in the
// place of the blocks of the file's content. All of it is one file at a time,
// before anything is merged, so no file sees the inputs of another (contract
// ci-yaml.md, 2.4).
//
// A block is
//
//	$[[ access | function | function | function ]]
//
// where access is inputs.NAME or component.FIELD. A scalar that is one block
// and nothing else becomes the value itself, whatever its type; elsewhere the
// value is written into the text, lists as JSON. What a block puts in is not
// looked at again.
//
// GitLab first replaced the blocks of the parsed document, and later those of
// its text. Here the parsed document counts, so that quotes around a block
// never change a value's type and a value never changes the structure around
// it; Shield lets files be read that only the later way reads, such as
// [$[[ inputs.tag ]], linux].
//
// Problems are GitLab's sentences, with a place.
package inputs
