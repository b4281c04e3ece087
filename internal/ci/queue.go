package ci

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// A Queue is what pending jobs wait in: those of one project with the same tags
// and the same protection are alike to every runner, so a wake-up names a queue
// and a runner looks only at the head of each.
type Queue struct {
	ProjectID ProjectID
	Tags      []string // sorted, unique
	Protected bool
}

// Key gives the queue's name in the database and in wake-ups. Two queues are the
// same exactly if their keys are.
func (q Queue) Key() string {
	protected := "0"
	if q.Protected {
		protected = "1"
	}
	tags := "[]"
	if len(q.Tags) > 0 {
		data, err := json.Marshal(q.Tags)
		if err != nil { // cannot happen: strings always marshal
			panic(err)
		}
		tags = string(data)
	}
	return strconv.FormatInt(int64(q.ProjectID), 10) + ":" + protected + ":" + tags
}

// ParseQueue reads a key back.
func ParseQueue(key string) (Queue, error) {
	parts := strings.SplitN(key, ":", 3)
	if len(parts) != 3 {
		return Queue{}, fmt.Errorf("parse queue %q: not three parts", key)
	}
	id, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return Queue{}, fmt.Errorf("parse queue %q: %w", key, err)
	}
	q := Queue{ProjectID: ProjectID(id), Protected: parts[1] == "1"}
	if err := json.Unmarshal([]byte(parts[2]), &q.Tags); err != nil {
		return Queue{}, fmt.Errorf("parse queue %q: %w", key, err)
	}
	if len(q.Tags) == 0 {
		q.Tags = nil
	}
	return q, nil
}

// Queue is where the job waits while it is pending.
func (j *Job) Queue() Queue {
	return Queue{ProjectID: j.ProjectID, Tags: j.Tags, Protected: j.Protected}
}
