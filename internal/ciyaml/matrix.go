package ciyaml

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// maxParallel is how many instances of a job there may be.
const maxParallel = 200

// parallel is how a job is multiplied.
type parallel struct {
	total int
	rows  [][]Variable // of a matrix, one of each instance; nil for a number
}

var parallelKeys = &keyset{[]string{"matrix"}}

// parallel reads parallel: a number or a matrix (contract 6.1).
func (c *checker) parallel(p *place, n *tree.Node) *parallel {
	switch n.Kind {
	case tree.Int, tree.Float:
		return &parallel{total: c.within(p, n, config, 1, maxParallel)}
	case tree.Map:
		if !c.keys(p, n, parallelKeys) {
			return nil
		}
		matrix := given(n, "matrix")
		if matrix == nil {
			c.fail(p, n.Pos, config, "missing required keys: matrix")
			return nil
		}
		rows := c.matrix(p.child("matrix"), matrix)
		return &parallel{total: len(rows), rows: rows}
	}
	c.raw(n.Pos, strings.ToLower(p.String()+" should be an integer or a hash"))
	return nil
}

// matrix reads the rows of a matrix and multiplies them out: the first key of
// a row changes slowest.
func (c *checker) matrix(p *place, n *tree.Node) [][]Variable {
	bad := n
	if n.Kind == tree.Seq {
		bad = nil
		for _, item := range n.Items {
			if item.Kind != tree.Map {
				bad = item
				break
			}
		}
	}
	if bad != nil {
		c.fail(p, bad.Pos, config, "should be an array of hashes")
		return nil
	}
	if len(n.Items) == 0 {
		c.fail(p, n.Pos, config, "can't be blank")
		return nil
	}
	count, size := 0, 0
	for _, row := range n.Items {
		product := 1
		for _, pair := range row.Pairs {
			if !pair.Value.IsNull() && pair.Value.Kind == tree.Seq {
				product = min(product*len(pair.Value.Items), maxParallel+1)
			}
		}
		count += product
		size += product * len(row.Pairs)
	}
	switch {
	case count > maxParallel:
		c.fail(p, n.Pos, config, fmt.Sprintf("generates too many jobs (maximum is %d)", maxParallel))
		return nil
	case size > maxMatrixSize:
		c.raw(n.Pos, errTooBig)
		return nil
	}
	c.spent += size
	var out [][]Variable
	for _, row := range n.Items {
		out = append(out, c.matrixRow(p.child("variables"), row)...)
	}
	return out
}

// maxMatrixSize is how many variables all rows of a matrix may have together.
const maxMatrixSize = 100_000

// matrixRow multiplies one row out.
func (c *checker) matrixRow(p *place, row *tree.Node) [][]Variable {
	values, count := make([][]*tree.Node, len(row.Pairs)), 1
	for i, pair := range row.Pairs {
		values[i] = []*tree.Node{pair.Value}
		if !pair.Value.IsNull() && pair.Value.Kind == tree.Seq {
			values[i] = pair.Value.Items
		}
		for _, value := range values[i] {
			if !value.IsNull() && !isScalar(value) {
				c.fail(p, value.Pos, config, "should be a hash of key value pairs, value can be an array")
				return nil
			}
		}
		count *= len(values[i])
	}
	if len(values) == 0 || count == 0 {
		c.fail(p, row.Pos, config, "requires at least 1 items")
		return nil
	}
	out := make([][]Variable, count)
	for k := range out {
		vars, every := make([]Variable, 0, len(values)), count
		for i, list := range values {
			every /= len(list) // this value changes after so many instances
			if value := list[k/every%len(list)]; !value.IsNull() {
				vars = append(vars, Variable{Key: row.Pairs[i].Key, Value: value.Text})
			}
		}
		out[k] = vars
	}
	return out
}

// instance is the suffix of one instance's name and its own variables.
type instance struct {
	suffix    string
	variables []Variable
}

// instances lists the instances that parallel makes; nil makes none.
func (p *parallel) instances() []instance {
	if p == nil {
		return nil
	}
	out := make([]instance, p.total)
	for i := range out {
		if p.rows == nil {
			out[i].suffix = " " + strconv.Itoa(i+1) + "/" + strconv.Itoa(p.total)
			continue
		}
		values := make([]string, len(p.rows[i]))
		for k, v := range p.rows[i] {
			values[k] = v.Value
		}
		out[i] = instance{": [" + strings.Join(values, ", ") + "]", p.rows[i]}
	}
	return out
}
