package githttp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// declined is what git shows beside each ref of a push that is refused, as GitLab does.
const declined = "pre-receive hook declined"

// A push is one push on its way through the handler.
type push struct {
	h       *Handler
	visit   visit
	stream  *stream
	head    git.PushHead
	rest    io.Reader // of the request, behind the head
	options options

	guarded []engine.RefChange // of which git must tell whether they are fast-forward
}

// receive answers the second request of a push, which carries it.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, v visit) error {
	s, err := h.stream(w, r, h.limits.pushIdle)
	if err != nil {
		return err
	}
	s.close() // a push is the last request of its client
	body, err := s.body(0)
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(body, 64<<10)
	head, err := git.ParseCommands(in, git.PushLimits{})
	if err != nil {
		return s.unreadable(err)
	}
	header(w, "application/x-"+git.ReceivePackService+"-result")
	if len(head.Commands) == 0 { // a large push first sends an empty one, to see whether it may
		return nil
	}
	p := &push{h: h, visit: v, stream: s, head: head, rest: in}
	p.options, err = parseOptions(head.Options)
	if err == nil {
		err = p.check(r.Context())
	}
	switch {
	case ci.KindOf(err) != "":
		return p.refuse(err)
	case err != nil:
		return err
	}
	return p.carryOut(r.Context(), r.Header.Get("Git-Protocol"))
}

// changes is what the push wants.
func (p *push) changes() []engine.RefChange {
	list := make([]engine.RefChange, 0, len(p.head.Commands))
	for _, c := range p.head.Commands {
		list = append(list, engine.RefChange{Name: c.Ref, Before: c.Old, After: c.New})
	}
	return list
}

// check asks the engine whether the push may be carried out, all of it.
func (p *push) check(ctx context.Context) error {
	return p.h.engine.CheckPush(ctx, p.visit.caller, p.visit.project, p.changes(), func(c engine.RefChange) (bool, error) {
		forward, err := p.h.git.IsAncestor(ctx, p.visit.repository(), c.Before, c.After)
		if errors.Is(err, git.ErrNotExist) { // the commit comes with the push: git will see
			p.guarded = append(p.guarded, c)
			return false, nil
		}
		return !forward, err
	})
}

// refuse answers a push of which nothing is carried out. The pack is read to its
// end, since git listens only then.
func (p *push) refuse(reason error) error {
	if _, err := io.Copy(io.Discard, p.rest); err != nil {
		return p.stream.unreadable(err)
	}
	var refusal *ci.Error
	if !errors.As(reason, &refusal) {
		return reason
	}
	wire.Annotate(p.stream.r.Context(), slog.String("refused", refusal.Message))
	message := "GitLab: " + bare(refusal.Message)
	if refusal.Hint != "" {
		message += "\n" + refusal.Hint
	}
	if err := git.RefusePush(p.stream, p.head, message, declined); err != nil {
		return fmt.Errorf("refuse push: %w", err)
	}
	return nil
}

// carryOut lets git receive the push and then tells the engine what has changed,
// even if the client has left by then.
func (p *push) carryOut(ctx context.Context, protocol string) error {
	leave, err := p.h.queue(ctx)
	if err != nil {
		return err
	}
	answer := newAnswer(p.stream, p.head)
	err = p.h.git.Receive(ctx, p.visit.repository(), protocol,
		git.Push{Head: p.head, Rest: p.rest, FastForward: len(p.guarded) > 0}, answer)
	leave()
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.h.limits.settle)
	defer cancel()
	messages, failure := p.settle(settle, answer.accepted())
	if failure != nil {
		// The refs have changed, so the push must not look as if it had failed.
		p.h.log.ErrorContext(ctx, "follow up a push", "project_id", p.visit.repository(), "request_id", wire.RequestID(ctx), "error", failure)
		messages = append(messages, "The push is done, but its pipelines could not be started (request "+wire.RequestID(ctx)+").")
	}
	if err := p.h.ended(ctx, p.stream, p.visit, err); err != nil {
		return err
	}
	return answer.finish(messages)
}

// settle tells the engine which refs have changed and returns what the client
// should read about it. accepted are those that git said it has changed.
func (p *push) settle(ctx context.Context, accepted map[string]bool) (messages []string, err error) {
	var changed []engine.RefChange
	written := 0 // those that were not deleted
	for _, c := range p.changes() {
		done := accepted[c.Name]
		if !done { // git may have ended before it could say so
			if done, err = p.holds(ctx, c); err != nil {
				return nil, err
			}
		}
		if done && c.Before != c.After {
			changed = append(changed, c)
			if c.After != ci.ZeroSHA {
				written++
			}
		}
	}
	for _, c := range p.guarded {
		if !slices.Contains(changed, c) {
			messages = append(messages, ci.ShortRef(c.Name)+" is protected: you are not allowed to force push to it.")
		}
	}
	if p.visit.moved {
		messages = append(messages, p.movedMessage())
	}
	messages = append(messages, p.options.ignored...)
	if len(changed) == 0 {
		return messages, nil
	}
	pushed, err := p.h.engine.Pushed(ctx, engine.Push{
		Project: p.visit.project, Caller: p.visit.caller, Changes: changed,
		Skip: p.options.skip, NoPipeline: p.options.noPipeline, Variables: p.options.variables, Inputs: p.options.inputs,
	})
	for _, result := range pushed {
		messages = append(messages, p.pipelineMessage(result)...)
	}
	if len(pushed) == engine.MaxPushPipelines && written > len(pushed) {
		messages = append(messages, fmt.Sprintf("At most %d refs of a push get a pipeline.", engine.MaxPushPipelines))
	}
	return messages, err
}

// holds reports whether a ref is as the push wants it.
func (p *push) holds(ctx context.Context, c engine.RefChange) (bool, error) {
	ref, err := p.h.git.Ref(ctx, p.visit.repository(), c.Name)
	if errors.Is(err, git.ErrNotExist) {
		return c.After == ci.ZeroSHA, nil
	}
	return err == nil && ref.SHA == c.After, err
}

// movedMessage tells a client the new address of its project.
func (p *push) movedMessage() string {
	return "This project was moved to '" + p.visit.project.FullPath + "'. Please update your Git remote:\n" +
		"  git remote set-url origin " + p.h.urls.Clone(p.visit.project.FullPath)
}

// pipelineMessage says what became of one ref. A project without a configuration
// is not reminded of it at each push, and git push -q asked for silence.
func (p *push) pipelineMessage(r engine.PushedRef) []string {
	name := ci.ShortRef(r.Name)
	switch {
	case r.Refusal != nil && r.Refusal.Code == "missing_config":
		return nil
	case r.Pipeline.ID == 0 && r.Refusal != nil:
		return []string{fmt.Sprintf("No pipeline for %s: %s", name, text(r.Refusal))}
	case r.Pipeline.ID == 0:
		return nil
	}
	url := p.h.urls.Pipeline(p.visit.project.FullPath, int64(r.Pipeline.ID))
	if r.Refusal != nil {
		return []string{fmt.Sprintf("Pipeline #%d for %s failed: %s\n  %s", r.Pipeline.ID, name, text(r.Refusal), url)}
	}
	if slices.Contains(p.head.Capabilities, "quiet") {
		return nil
	}
	if r.Pipeline.Status == ci.Skipped {
		return []string{fmt.Sprintf("Pipeline #%d for %s was skipped: %s", r.Pipeline.ID, name, url)}
	}
	return []string{fmt.Sprintf("Pipeline #%d for %s: %s", r.Pipeline.ID, name, url)}
}

// text is what a refusal says, without the fields that the API puts it in.
func text(e *ci.Error) string {
	if base := e.Fields["base"]; len(base) > 0 {
		return base[0]
	}
	return bare(e.Message)
}
