import { Component, type ComponentChildren } from "preact";
import { Button } from "../kit/components/button.tsx";
import { texts } from "./texts/index.ts";

interface Props {
  readonly children: ComponentChildren;
  readonly onLeave: () => void;
}

/** A mistake in a screen shows a way back, and no blank page. */
export class Guarded extends Component<Props, { readonly isBroken: boolean }> {
  override state = { isBroken: false };

  static override getDerivedStateFromError() {
    return { isBroken: true };
  }

  override render() {
    if (!this.state.isBroken) return <>{this.props.children}</>;
    return (
      <div class="card" role="alert">
        <p>{texts.say("problem")}</p>
        <Button onClick={this.props.onLeave}>{texts.say("start_again")}</Button>
      </div>
    );
  }
}
