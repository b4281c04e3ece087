package ci

import "regexp"

// A Variable is a key and a value that a job sees in its environment.
type Variable struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	File   bool   `json:"file,omitempty"`   // the value is written to a file, the variable holds its path
	Raw    bool   `json:"raw,omitempty"`    // `$` in the value stands for itself
	Masked bool   `json:"masked,omitempty"` // hidden in logs
	Secret bool   `json:"secret,omitempty"` // not public: never shown outside the job
	Layers uint8  `json:"layers,omitempty"` // of a specification: which parts of the configuration set it (ciyaml.Layers)
}

var variableKey = regexp.MustCompile(`^[a-zA-Z0-9_]+$`)

// MaxVariableKey is the longest key of a variable, in characters.
const MaxVariableKey = 255

// ValidKey reports whether key can name a pipeline variable.
func ValidKey(key string) bool { return len(key) <= MaxVariableKey && variableKey.MatchString(key) }
