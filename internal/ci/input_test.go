package ci

import "testing"

func TestTextInput(t *testing.T) {
	for text, want := range map[string]string{
		"": `""`, "x": `"x"`, `"x"`: `"x"`, "3": "3", "true": "true", "[1, 2]": "[1, 2]", "[1": `"[1"`, "1.2.3": `"1.2.3"`, "null": "null",
	} {
		if got := TextInput("name", text); got.Name != "name" || got.JSON != want {
			t.Errorf("%q: got %+v, want %s", text, got, want)
		}
	}
}
