import "./styles/base.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./components/App";
import { Tabs } from "./services/tabs";
import { SessionKeeper } from "./state/session";
import { applyTheme } from "./state/theme";

applyTheme();
const tabs = new Tabs();
const keeper = new SessionKeeper(tabs);
keeper.start();

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <App keeper={keeper} tabs={tabs} />
  </StrictMode>,
);
