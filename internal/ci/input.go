package ci

import "encoding/json"

// Input is a value that a caller gives for spec:inputs of a configuration.
type Input struct {
	Name string
	JSON string // any JSON value
}

// TextInput is an input whose value came as text, from a form or a push option:
// what is JSON means what it says, anything else is a string
// (contract/trigger-api.md 1.7).
func TextInput(name, text string) Input {
	if json.Valid([]byte(text)) {
		return Input{name, text}
	}
	quoted, err := json.Marshal(text)
	if err != nil { // a string can always be encoded
		quoted = []byte(`""`)
	}
	return Input{name, string(quoted)}
}
