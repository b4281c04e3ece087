package wire

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// multipart reads a multipart form part by part. Only plain fields are
// parameters: a file is refused, and the empty file field of a browser is not
// there.
func (b *builder) multipart(stream io.Reader, boundary string) (*Tree, error) {
	root := NewMap()
	reader := multipart.NewReader(stream, boundary)
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return nil, partError(err)
		}
		name := part.FormName()
		if file, has := fileName(part); has {
			if file == "" {
				continue
			}
			return nil, ci.BadParam(shown(name)+" "+isInvalid).WithHint("file_not_expected",
				"A file was sent where a value is expected. With curl, use --form-string 'NAME=VALUE' or -F 'NAME=<FILE'.")
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, partError(err)
		}
		value := string(data)
		if err := errors.Join(checkText(name), checkText(value)); err != nil {
			return nil, errBytes
		}
		if err := b.add(root, name, &Tree{Kind: String, Form: true, Text: value}, FromBody); err != nil {
			return nil, err
		}
	}
}

// fileName gives the file name of a part, and whether it has one at all.
func fileName(part *multipart.Part) (name string, has bool) {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return "", false
	}
	name, has = params["filename"]
	return name, has
}

func partError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	return malformed(err)
}
