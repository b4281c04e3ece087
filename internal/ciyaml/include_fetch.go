package ciyaml

import (
	"fmt"
	"sync"
)

// maxFetches is how many remote files are fetched at once.
const maxFetches = 4

// fetchAll fetches the remote files of one level that are not there yet, some
// at a time. What is wrong with one of them is told when it is opened.
func (l *loader) fetchAll(list []inclusion) Diagnostics {
	type fetch struct {
		at   *inclusion
		file *remoteFile
		err  error
	}
	var fetches []*fetch
	wanted := map[string]bool{}
	for i := range list {
		at := &list[i]
		if at.kind != "remote" || wanted[at.text] || l.remotes[at.text] != nil || checkAddress(at) != nil {
			continue
		}
		wanted[at.text] = true
		fetches = append(fetches, &fetch{at: at})
	}
	var group sync.WaitGroup
	slots := make(chan struct{}, maxFetches)
	for _, f := range fetches {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			content, read, err := fetchRemote(l.ctx, l.src, f.at.text)
			f.file, f.err = &remoteFile{content, read}, err
		})
	}
	group.Wait()
	for _, f := range fetches {
		if f.err != nil {
			return l.failure(f.at.pos, fmt.Errorf("fetch remote file: %w", f.err))
		}
		l.remotes[f.at.text] = f.file
		l.reads.Remotes = append(l.reads.Remotes, f.file.read)
	}
	return nil
}
