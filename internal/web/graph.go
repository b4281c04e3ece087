package web

import "fmt"

// Sizes of the graph in pixels. The style sheet has the same ones; a test compares
// them.
const (
	cardWidth   = 208
	cardHeight  = 44
	cardGap     = 12
	columnGap   = 56
	titleHeight = 32
)

// A graph is the picture of a pipeline: columns of cards, and lines between cards.
// The lines are for the eye alone: cards say in words what they need.
type graph struct {
	Columns []graphColumn
	Edges   []string // paths of SVG
	Width   int
	Height  int
}

// A graphColumn is a stage, or what is before or behind all stages.
type graphColumn struct {
	Title string
	Kind  string // "stage", "upstream" or "downstream"
	Cards []graphCard
}

// A graphCard is a job, or a pipeline of another project.
type graphCard struct {
	ID     string // unique on the page
	URL    string // empty for one that the visitor may not see
	Name   string
	Status statusView
	Note   string   // how long it took, or where it is
	Since  timeView // when it began, of one that runs
	Needs  string   // names of the jobs that it needs
}

// An edge leads from a card to another one, by their ids.
type edge struct{ from, to string }

// A point is the upper left corner of a card.
type point struct{ x, y int }

// layOut places the cards of a graph and draws the edges between those that are
// there.
func layOut(columns []graphColumn, edges []edge) graph {
	places := map[string]point{}
	g := graph{Columns: columns}
	for i, column := range columns {
		for j, card := range column.Cards {
			places[card.ID] = point{i * (cardWidth + columnGap), titleHeight + j*(cardHeight+cardGap)}
		}
		g.Height = max(g.Height, titleHeight+len(column.Cards)*(cardHeight+cardGap))
	}
	g.Width = max(len(columns)*(cardWidth+columnGap)-columnGap, 0)
	for _, e := range edges {
		from, known := places[e.from]
		to, both := places[e.to]
		if !known || !both {
			continue
		}
		g.Edges = append(g.Edges, draw(from, to))
	}
	return g
}

// draw gives the path from a card to another one. Between two columns it bends; past
// the columns that lie between it goes straight, between two rows of cards.
func draw(from, to point) string {
	const bend, row = columnGap / 2, cardHeight + cardGap
	x1, y1, x2, y2 := from.x+cardWidth, from.y+cardHeight/2, to.x, to.y+cardHeight/2
	switch {
	case x2 <= from.x: // in the same column, or further left: around the right side
		return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, x1+bend, y1, to.x+cardWidth+bend, y2, to.x+cardWidth, y2)
	case x2 == x1+columnGap:
		return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, x1+bend, y1, x2-bend, y2, x2, y2)
	}
	lane := titleHeight + (max(from.y, to.y)-titleHeight)/row*row - cardGap/2 // over the lower one
	if from.y == to.y {
		lane += row // under both: over the first row are the titles
	}
	return fmt.Sprintf("M%d %dC%d %d %d %d %d %dH%dC%d %d %d %d %d %d",
		x1, y1, x1+bend, y1, x1+bend, lane, x1+columnGap, lane, x2-columnGap, x2-bend, lane, x2-bend, y2, x2, y2)
}
