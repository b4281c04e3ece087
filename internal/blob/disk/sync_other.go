//go:build !unix

package disk

// syncFolder does nothing: folders cannot be flushed here.
func syncFolder(string) error { return nil }
