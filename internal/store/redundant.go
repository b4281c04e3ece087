package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// redundantFor is how long after its creation a pipeline can become redundant, as
// in GitLab.
const redundantFor = 3 * 24 * time.Hour

// alivePipelines is the condition of the index pipelines_redundant, word for word.
const alivePipelines = `status in ('created', 'waiting_for_resource', 'pending', 'running', 'scheduled')`

// olderPipelines is a column of a statement that creates a pipeline: the pipelines
// for other commits of the same branch that have not ended, separated by commas.
// Those that came by themselves count, children of other pipelines do not. It looks
// left and right of the commit, so that any number of pipelines for the same one
// cost nothing. The verbs are the parameters of project, branch, commit and time.
func olderPipelines(project, ref, sha, since string) string {
	side := func(operator string) string {
		return `select id from pipelines where project_id = ` + project + ` and ref = ` + ref + ` and sha ` + operator + ` ` + sha +
			` and ` + alivePipelines + ` and not tag and source <> 'parent_pipeline' and created_at >= ` + since
	}
	return `(select string_agg(cast(older.id as text), ',') from (` + side("<") + ` union all ` + side(">") + `) as older)`
}

// pipelineIDs reads what olderPipelines gave.
func pipelineIDs(list *string) ([]ci.PipelineID, error) {
	if list == nil {
		return nil, nil
	}
	var ids []ci.PipelineID
	for word := range strings.SplitSeq(*list, ",") {
		id, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("id of an older pipeline: %w", err)
		}
		ids = append(ids, ci.PipelineID(id))
	}
	return ids, nil
}
