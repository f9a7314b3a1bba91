import { render } from "preact";
import { App } from "./app/App";
import "./style/tokens.css";
import "./style/base.css";
import "./style/ui.css";
import "./style/dialog.css";
import "./style/card.css";
import "./style/table.css";
import "./style/frame.css";
import "./app/shortcuts";
import "./app/theme";
import "./app/title";

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
