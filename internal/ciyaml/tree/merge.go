package tree

// Merge returns base with over laid upon it, as includes and extends are
// merged (contract 3.3): maps are merged key by key, and everything else —
// lists, scalars, null — is replaced by over. Keys keep the place where they
// first appeared, in base before over. A nil argument gives the other one.
// Neither argument is changed; the result shares their nodes.
func Merge(base, over *Node) *Node {
	switch {
	case over == nil:
		return base
	case base == nil:
		return over
	case base.Kind != Map || over.Kind != Map:
		return over
	case len(over.Pairs) == 0:
		return base
	}
	merged := newPairs(len(base.Pairs) + len(over.Pairs))
	merged.list = append(merged.list, base.Pairs...)
	if len(over.Pairs) > fewPairs && len(base.Pairs) > indexFrom {
		merged.makeIndex()
	}
	for _, p := range over.Pairs {
		i := merged.find(p.Key)
		if i < 0 {
			merged.add(p)
			continue
		}
		p.Value = Merge(merged.list[i].Value, p.Value)
		merged.list[i] = p
	}
	return &Node{Kind: Map, Pos: over.Pos, Pairs: merged.list}
}

// indexFrom is the number of pairs from which an index beats a linear search.
const indexFrom = 12

// pairs is a map under construction: ordered, with unique keys.
type pairs struct {
	list  []Pair
	index map[string]int
}

func newPairs(capacity int) *pairs {
	return &pairs{list: make([]Pair, 0, capacity)}
}

// find returns the place of key in the list, or -1.
func (p *pairs) find(key string) int {
	if p.index != nil {
		if i, ok := p.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range p.list {
		if p.list[i].Key == key {
			return i
		}
	}
	return -1
}

// fewPairs is the number of pairs laid over others up to which no index is worth
// making.
const fewPairs = 6

func (p *pairs) makeIndex() {
	p.index = make(map[string]int, 2*len(p.list))
	for i := range p.list {
		p.index[p.list[i].Key] = i
	}
}

// set adds the pair, or replaces the pair of the same key at its place.
func (p *pairs) set(pair Pair) {
	if i := p.find(pair.Key); i >= 0 {
		p.list[i] = pair
		return
	}
	if p.index == nil && len(p.list) >= indexFrom {
		p.makeIndex()
	}
	p.add(pair)
}

// add adds a pair whose key is not there.
func (p *pairs) add(pair Pair) {
	if p.index != nil {
		p.index[pair.Key] = len(p.list)
	}
	p.list = append(p.list, pair)
}
